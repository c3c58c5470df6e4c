//! Ctrl-C: what happened is told, and the command that goes on with it.

use crate::error::CliError;
use crate::format::quoted;
use crate::ui::Ui;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

type Action = Box<dyn FnMut() + Send>;

static ACTION: Mutex<Option<Action>> = Mutex::new(None);

/// What Ctrl-C, or the signal that asks a process to end, does from now on. It runs in a thread of its own. If it cannot be
/// arranged, the process ends as any other does.
pub fn on_interrupt(act: impl FnMut() + Send + 'static) {
    let action = || ACTION.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = action().replace(Box::new(act)).is_none();
    if is_first {
        let _ = ctrlc::set_handler(move || {
            if let Some(act) = action().as_mut() {
                act();
            }
        });
    }
}

/// Ends the process at once, for commands that lose nothing by it.
pub fn end(ui: &Ui, message: String) -> ! {
    if io::stderr().is_terminal() {
        // The line of a bar that is drawn there.
        let _ = write!(io::stderr(), "\r\x1b[2K");
    }
    let error = CliError::Interrupted(message);
    ui.fail(&error);
    std::process::exit(error.exit_code().into())
}

/// The command line of this process, for commands that are simply given again.
pub fn this_command() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| quoted(Path::new(&argument)));
    ["gradientcoin".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}
