//! Reads a header as its reader does and says which function leaves something unsaid.

/// What a function's comment says, in this order, after its purpose and its parameters.
const FIELDS: [&str; 7] = [
    "Returns:",
    "Ownership:",
    "Thread-safety:",
    "Blocking:",
    "Callback context:",
    "Fork/after close:",
    "Since:",
];

struct Function {
    name: String,
    parameters: Vec<String>,
    comment: String,
}

pub fn problems(header: &str) -> Vec<String> {
    let functions = parse(header);
    assert!(functions.len() > 10, "the header was not understood");
    functions.iter().flat_map(check).collect()
}

/// The prototypes that stand behind a comment, and those that stand alone with an empty one.
fn parse(header: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut comment = String::new();
    let mut prototype = String::new();
    let mut in_comment = false;
    for line in header.lines() {
        if line.starts_with("/*") {
            in_comment = true;
            comment.clear();
        }
        if in_comment {
            comment.push_str(line.trim_start_matches(['/', '*', ' ']));
            comment.push('\n');
            in_comment = !line.ends_with("*/");
            continue;
        }
        let starts = !line.starts_with([' ', '#', '}'])
            && line.contains('(')
            && !line.starts_with("typedef");
        if starts || !prototype.is_empty() {
            prototype.push_str(line.trim());
            prototype.push(' ');
        }
        if !prototype.is_empty() && line.ends_with(");") {
            functions.push(function(&prototype, std::mem::take(&mut comment)));
            prototype.clear();
        }
    }
    functions
}

fn function(prototype: &str, comment: String) -> Function {
    let (head, tail) = prototype.split_once('(').unwrap();
    let last_word = |text: &str| {
        text.trim()
            .rsplit([' ', '*'])
            .next()
            .unwrap_or_default()
            .to_string()
    };
    let parameters = tail.trim().trim_end_matches(");");
    Function {
        name: last_word(head),
        parameters: parameters
            .split(',')
            .map(last_word)
            .filter(|name| name != "void")
            .collect(),
        comment,
    }
}

fn check(function: &Function) -> Vec<String> {
    let name = &function.name;
    let comment = &function.comment;
    let mut problems = Vec::new();
    let purpose = comment.lines().find(|line| !line.is_empty());
    if purpose.is_none_or(|line| line.starts_with('@') || line.starts_with("Returns:")) {
        problems.push(format!("{name}: no purpose"));
    }
    let documented: Vec<&str> = comment
        .lines()
        .filter_map(|line| line.strip_prefix("@param ")?.split_whitespace().next())
        .collect();
    if documented != function.parameters {
        problems.push(format!(
            "{name}: parameters {:?}, documented {documented:?}",
            function.parameters
        ));
    }
    let found: Vec<&str> = comment
        .lines()
        .filter_map(|line| FIELDS.into_iter().find(|field| line.starts_with(field)))
        .collect();
    if found != FIELDS {
        problems.push(format!("{name}: fields {found:?}"));
    }
    problems
}

#[test]
fn what_is_left_unsaid_is_found() {
    let good = Function {
        name: "kprod_x".into(),
        parameters: vec!["p".into()],
        comment: format!(
            "Does it.\n\n@param p  borrowed.\n\n{}\n",
            FIELDS.join(" a\n")
        ),
    };
    assert!(check(&good).is_empty(), "{:?}", check(&good));
    let without = |text: &str| Function {
        name: good.name.clone(),
        parameters: good.parameters.clone(),
        comment: good.comment.replace(text, ""),
    };
    for text in FIELDS.iter().chain(&["Does it.", "@param p  borrowed."]) {
        assert_eq!(check(&without(text)).len(), 1, "{text}");
    }
}
