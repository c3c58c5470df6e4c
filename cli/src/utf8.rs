//! Text from bytes that come one by one.

/// Decodes as they come; malformed bytes become U+FFFD, as in [`String::from_utf8_lossy`].
#[derive(Debug, Default)]
pub struct Utf8Stream {
    /// Bytes that begin a character.
    rest: Vec<u8>,
}

impl Utf8Stream {
    /// The text that is certain after `byte`; often none or one character, at times more.
    pub fn push(&mut self, byte: u8) -> String {
        self.rest.push(byte);
        let mut text = String::new();
        let mut done = 0;
        for chunk in self.rest.utf8_chunks() {
            text += chunk.valid();
            done += chunk.valid().len();
            let invalid = chunk.invalid();
            // Only the end can still become a character.
            let open = done + invalid.len() == self.rest.len()
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if !invalid.is_empty() && !open {
                text.push(char::REPLACEMENT_CHARACTER);
                done += invalid.len();
            }
        }
        self.rest.drain(..done);
        text
    }

    /// What is left at the end.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.rest).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> String {
        let mut stream = Utf8Stream::default();
        let mut text: String = bytes.iter().map(|&b| stream.push(b)).collect();
        text += &stream.finish();
        text
    }

    /// Bytes that often begin, continue or break a character.
    fn arb_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            any::<u8>(),
            proptest::sample::select(vec![0x41, 0x80, 0xbf, 0xc3, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0xed, 0xa0])
        ];
        proptest::collection::vec(byte, 0..24)
    }

    proptest! {
        #[test]
        fn a_stream_is_decoded_as_a_whole(bytes in arb_bytes()) {
            prop_assert_eq!(decode(&bytes), String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn text_comes_through_at_once(text in any::<String>()) {
            let mut stream = Utf8Stream::default();
            for c in text.chars() {
                let mut buffer = [0; 4];
                let shown: String = c.encode_utf8(&mut buffer).bytes().map(|b| stream.push(b)).collect();
                prop_assert_eq!(shown, c.to_string());
            }
        }
    }
}
