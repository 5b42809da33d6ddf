//! Another library made with Rust, for a program that links both: it uses the standard library, and unwinds.

/// Twice the number and two, by way of a panic that it catches.
#[unsafe(no_mangle)]
pub extern "C" fn other_rust_library(number: i32) -> i32 {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| std::panic::panic_any(vec![number, 1]));
    let payload = caught.expect_err("it panicked");
    let numbers = payload.downcast::<Vec<i32>>().expect("as it was thrown");
    std::thread::spawn(move || numbers.iter().sum::<i32>() * 2)
        .join()
        .unwrap_or(0)
}
