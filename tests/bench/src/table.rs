//! Columns for people, tab-separated values for programs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Prints rows under a head, the first column flush left, the others flush right.
pub fn print(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(head[column].chars().count())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let mut text = format!("{:<1$}", cells[0], widths[0]);
        for (cell, width) in cells.iter().zip(&widths).skip(1) {
            text += &format!("  {cell:>width$}");
        }
        println!("{text}");
    };
    line(&head.iter().map(|cell| cell.to_string()).collect::<Vec<_>>());
    for row in rows {
        line(row);
    }
}

/// Writes rows under a head to a file.
pub fn save(path: &Path, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut file = io::BufWriter::new(File::create(path)?);
    writeln!(file, "{}", head.join("\t"))?;
    for row in rows {
        writeln!(file, "{}", row.join("\t"))?;
    }
    file.flush()
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// A ratio as the tables show it; a dash where there is nothing to compare with.
pub fn ratio(part: f64, whole: f64) -> String {
    let ratio = part / whole;
    if ratio.is_finite() {
        format!("{ratio:.2}")
    } else {
        "-".into()
    }
}
