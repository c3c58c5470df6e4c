//! What stands where a file was expected when a download went wrong.

/// A file that is not the one that was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stray {
    /// Nothing.
    #[error("the file is empty")]
    Empty,
    /// What Git has in place of a large file.
    #[error("this is a Git LFS pointer, not the file itself; `git lfs pull` in its repository fetches it")]
    LfsPointer,
    /// What a browser was meant to show.
    #[error(
        "this is a web page, not the file itself: its address may require a login, or may be that of a page about it"
    )]
    WebPage,
    /// Text in an encoding of Windows.
    #[error("this is UTF-16 text; only UTF-8 is supported")]
    Utf16,
    /// What `torch.save` writes.
    #[error("this is a PyTorch pickle, which is not supported; `save_pretrained` of `transformers` writes safetensors")]
    Pickle,
    /// What llama.cpp reads.
    #[error("this is a GGUF file, which is not supported; safetensors is")]
    Gguf,
    /// A server's word instead of a file.
    #[error("this is text, not the file itself: `{0}`")]
    Text(String),
}

/// Most bytes of a server's word, and of what is shown of it.
const TEXT: (usize, usize) = (4096, 80);

impl Stray {
    /// What stands for a text file.
    pub fn of_text(bytes: &[u8]) -> Option<Self> {
        let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        let starts = |with: &str| start.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with.as_bytes()));
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            Some(Stray::Utf16)
        } else if start.is_empty() {
            Some(Stray::Empty)
        } else if starts("version https://git-lfs.") {
            Some(Stray::LfsPointer)
        } else if ["<!doctype html", "<html", "<head", "<?xml"].into_iter().any(starts) {
            Some(Stray::WebPage)
        } else {
            None
        }
    }

    /// What stands for a `safetensors` file. That begins with the length of its header in eight bytes, the upper four zero.
    pub fn of_safetensors(bytes: &[u8]) -> Option<Self> {
        if bytes.get(4..8) == Some(&[0; 4]) {
            None
        } else if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02") {
            Some(Stray::Pickle)
        } else if bytes.starts_with(b"GGUF") {
            Some(Stray::Gguf)
        } else {
            let of_text = Stray::of_text(bytes).filter(|stray| *stray != Stray::Utf16);
            of_text.or_else(|| Some(Stray::Text(word(bytes)?)))
        }
    }
}

/// The beginning of a short text that steers no terminal.
fn word(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok().filter(|text| text.len() <= TEXT.0)?;
    let line = text.trim().lines().next()?;
    (!line.contains(char::is_control)).then(|| line.chars().take(TEXT.1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 29120\n";

    /// 7.18
    #[test]
    fn what_downloads_leave_is_recognised() {
        for (bytes, expected) in [
            (&b""[..], Stray::Empty),
            (POINTER, Stray::LfsPointer),
            (b"<!DOCTYPE html>\n<html>", Stray::WebPage),
            (b"\xef\xbb\xbf \r\n<HTML lang=en>", Stray::WebPage),
            (b"<?xml version=\"1.0\"?><Error>", Stray::WebPage),
        ] {
            assert_eq!(Stray::of_text(bytes), Some(expected.clone()));
            assert_eq!(Stray::of_safetensors(bytes), Some(expected));
        }
        assert_eq!(Stray::of_text(b" \n"), Some(Stray::Empty));
        assert_eq!(Stray::of_text(b"\xff\xfe{\0"), Some(Stray::Utf16));
        assert_eq!(Stray::of_safetensors(b"PK\x03\x04model/data.pkl\0"), Some(Stray::Pickle));
        assert_eq!(Stray::of_safetensors(b"\x80\x02}q\x00"), Some(Stray::Pickle));
        assert_eq!(Stray::of_safetensors(b"GGUF\x03\0\0\0"), Some(Stray::Gguf));
        assert_eq!(Stray::of_safetensors(b"Entry not found\n"), Some(Stray::Text("Entry not found".into())));
        assert_eq!(Stray::of_safetensors("é".repeat(100).as_bytes()), Some(Stray::Text("é".repeat(80))));
    }

    #[test]
    fn what_is_meant_is_not_taken_for_anything_else() {
        for text in ["{}", "\u{feff}{}", "[1]", "{\"a\": \"<html>\"}", "version 1"] {
            assert_eq!(Stray::of_text(text.as_bytes()), None, "{text}");
        }
        // The length of a header comes first, as eight bytes.
        let headers =
            [&b"\x02\0\0\0\0\0\0\0{}"[..], b"<htm\0\0\0\0{}", b"\x80\x02\0\0\0\0\0\0{}", &[0xff; 5000], b"\x1b[2J"];
        for header in headers {
            assert_eq!(Stray::of_safetensors(header), None);
        }
    }
}
