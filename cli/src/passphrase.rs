//! Where a passphrase comes from: a file, the environment, or someone at the terminal.

use crate::error::passphrase::{MAX, VARIABLE};
use crate::error::{CliError, PassphraseError};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Erased when dropped.
pub type Passphrase = Zeroizing<String>;

/// What the passphrase is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An existing key: the passphrase is asked for once.
    Open,
    /// A new key: the passphrase is asked for twice.
    Create,
}

/// Arguments of commands that need a passphrase.
#[derive(Clone, Debug, clap::Args)]
pub struct PassphraseArgs {
    /// File whose first line is the passphrase [default: $GRADIENTCOIN_PASSPHRASE, otherwise it is asked for]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// The passphrase; whatever is not in a file or the environment is asked for.
    pub fn get(&self, purpose: Purpose) -> Result<Passphrase, CliError> {
        self.get_from(std::env::var_os(VARIABLE), purpose, &mut |prompt| rpassword::prompt_password(prompt))
    }

    fn get_from(
        &self,
        variable: Option<OsString>,
        purpose: Purpose,
        ask: &mut dyn FnMut(&str) -> io::Result<String>,
    ) -> Result<Passphrase, CliError> {
        let passphrase = match (&self.passphrase_file, variable.filter(|v| !v.is_empty())) {
            (Some(path), _) => first_line(path)?,
            (None, Some(variable)) => {
                let text = variable.into_string().map(Zeroizing::new).map_err(|_| PassphraseError::Text)?;
                Zeroizing::new(bare(&text).to_owned())
            }
            (None, None) => prompt(purpose, ask)?,
        };
        if passphrase.is_empty() { Err(PassphraseError::Empty.into()) } else { Ok(passphrase) }
    }
}

fn prompt(purpose: Purpose, ask: &mut dyn FnMut(&str) -> io::Result<String>) -> Result<Passphrase, PassphraseError> {
    let mut ask = |text: &str| ask(text).map(Zeroizing::new).map_err(PassphraseError::Terminal);
    let passphrase = ask("Passphrase: ")?;
    // An empty one is refused; it need not be repeated before.
    if purpose == Purpose::Create && !passphrase.is_empty() && ask("Repeat passphrase: ")? != passphrase {
        return Err(PassphraseError::Mismatch);
    }
    Ok(passphrase)
}

/// What some editors put before a text.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// A passphrase without what editors and shells put around it: a byte order mark before, a line's end and what follows it
/// behind. Wherever it comes from, it is the same.
fn bare(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.split('\n').next().unwrap_or_default();
    line.strip_suffix('\r').unwrap_or(line)
}

/// The first line of a file, [`bare`]. Nothing beyond is kept, and no copy is left behind.
fn first_line(path: &Path) -> Result<Passphrase, CliError> {
    let mut file = File::open(path).map_err(CliError::io("read", path))?;
    // Room for a byte order mark and `\r\n`.
    let mut buffer = Zeroizing::new([0; BOM.len() + MAX + 2]);
    let mut length = 0;
    let end = loop {
        if let Some(end) = buffer[..length].iter().position(|&b| b == b'\n') {
            break end;
        }
        match file.read(&mut buffer[length..]).map_err(CliError::io("read", path))? {
            0 if length == buffer.len() => return Err(PassphraseError::Long.into()),
            0 => break length,
            read => length += read,
        }
    };
    let text = std::str::from_utf8(&buffer[..end]).map_err(|_| PassphraseError::Text)?;
    let line = bare(text);
    if line.len() > MAX { Err(PassphraseError::Long.into()) } else { Ok(Zeroizing::new(line.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers in turn; [`None`] is no terminal.
    fn ask(answers: Option<&[&str]>, purpose: Purpose) -> (Result<String, CliError>, Vec<String>) {
        let mut prompts = vec![];
        let mut answers = answers.map(|a| a.iter());
        let result = PassphraseArgs { passphrase_file: None }.get_from(None, purpose, &mut |prompt| {
            prompts.push(prompt.to_owned());
            let answers = answers.as_mut().ok_or_else(|| io::Error::other("no tty"))?;
            Ok((*answers.next().unwrap()).to_owned())
        });
        (result.map(|p| p.to_string()), prompts)
    }

    fn never(_: &str) -> io::Result<String> {
        panic!("asked")
    }

    fn refused(result: Result<impl std::fmt::Debug, CliError>) -> PassphraseError {
        match result {
            Err(CliError::Passphrase(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_passphrase_is_entered_twice() {
        let (result, prompts) = ask(Some(&["a b"]), Purpose::Open);
        assert_eq!((result.unwrap(), prompts.len()), ("a b".into(), 1));
        let (result, prompts) = ask(Some(&["a b", "a b"]), Purpose::Create);
        assert_eq!((result.unwrap(), prompts.len()), ("a b".into(), 2));
        assert!(matches!(refused(ask(Some(&["a", "b"]), Purpose::Create).0), PassphraseError::Mismatch));
        for purpose in [Purpose::Open, Purpose::Create] {
            assert!(matches!(refused(ask(Some(&[""]), purpose).0), PassphraseError::Empty));
            let error = refused(ask(None, purpose).0);
            assert!(matches!(error, PassphraseError::Terminal(_)));
            assert_eq!(
                error.to_string(),
                "cannot ask for a passphrase: no tty; use --passphrase-file, or set GRADIENTCOIN_PASSPHRASE"
            );
        }
    }

    #[test]
    fn the_environment_comes_before_the_terminal() {
        let args = PassphraseArgs { passphrase_file: None };
        let found = args.get_from(Some("from the environment".into()), Purpose::Create, &mut never).unwrap();
        assert_eq!(*found, "from the environment");
        let asked = args.get_from(Some("".into()), Purpose::Open, &mut |_| Ok("typed".into())).unwrap();
        assert_eq!(*asked, "typed");
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            let bytes = OsString::from_vec(vec![0xff]);
            let result = args.get_from(Some(bytes), Purpose::Open, &mut never);
            assert!(matches!(refused(result), PassphraseError::Text));
        }
    }

    #[test]
    fn a_file_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        let args = PassphraseArgs { passphrase_file: Some(path.clone()) };
        let get = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            args.get_from(Some("environment".into()), Purpose::Create, &mut never).map(|p| p.to_string())
        };
        // 7.20: the same from a file and from the environment, whatever an editor or a shell put around it.
        for content in ["a b ", "a b \n", "a b \r\n", "a b \nmore", "\u{feff}a b ", "\u{feff}a b \r\n"] {
            assert_eq!(get(content.as_bytes()).unwrap(), "a b ", "{content:?}");
            let none = PassphraseArgs { passphrase_file: None };
            let of_variable = none.get_from(Some(content.into()), Purpose::Open, &mut never).unwrap();
            assert_eq!(*of_variable, "a b ", "{content:?}");
        }
        for empty in ["\n", "\u{feff}", "\u{feff}\r\n"] {
            let none = PassphraseArgs { passphrase_file: None };
            let of_variable = none.get_from(Some(empty.into()), Purpose::Open, &mut never);
            assert!(matches!(refused(of_variable), PassphraseError::Empty), "{empty:?}");
        }
        assert_eq!(get(&[b'x'; MAX]).unwrap().len(), MAX);
        let long = [&[b'x'; MAX][..], b"\r\nmore"].concat();
        assert_eq!(get(&long).unwrap().len(), MAX);
        for beyond in [1, 2, 3, 9000] {
            assert!(matches!(refused(get(&vec![b'x'; MAX + beyond])), PassphraseError::Long), "{beyond}");
        }
        assert!(matches!(refused(get(b"\xff")), PassphraseError::Text));
        for empty in ["", "\n", "\r\nx"] {
            assert!(matches!(refused(get(empty.as_bytes())), PassphraseError::Empty), "{empty:?}");
        }
        std::fs::remove_file(&path).unwrap();
        let error = args.get(Purpose::Open).unwrap_err();
        assert!(matches!(error, CliError::Io { action: "read", .. }), "{error}");
    }
}
