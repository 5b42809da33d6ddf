//! Log lines for the user's callback, which runs on `kprod-cb` like all user code.

use std::sync::Arc;

use super::hub::Completions;

/// syslog's severities, as librdkafka's `log_level` uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum LogLevel {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

pub type LogCallback = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// Filters by level before anything is formatted. Without a callback the library says nothing.
#[derive(Clone)]
pub struct Logger {
    hub: Arc<Completions>,
    max_level: u8,
    callback: Option<LogCallback>,
}

impl Logger {
    pub fn new(hub: Arc<Completions>, max_level: u8, callback: Option<LogCallback>) -> Self {
        Logger {
            hub,
            max_level,
            callback,
        }
    }

    pub fn log(&self, level: LogLevel, line: impl FnOnce() -> String) {
        let Some(callback) = &self.callback else {
            return;
        };
        if level as i32 > i32::from(self.max_level) {
            return;
        }
        let (callback, line) = (callback.clone(), line());
        // Without a thread there is nobody to tell.
        let _ = self
            .hub
            .run_on_callback_thread(Box::new(move || callback(level, &line)));
    }
}

impl std::fmt::Debug for Logger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logger")
            .field("max_level", &self.max_level)
            .finish_non_exhaustive()
    }
}
