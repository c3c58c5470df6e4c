//! Tokens, and the one place where bytes become tokens and tokens bytes. What a tokenizer makes of a text is for others to know.

/// The number of a token in its vocabulary, from 0; [`super::MAX_VOCAB`] fits.
pub type Token = u16;

const _: () = assert!(super::MAX_VOCAB <= 1 << Token::BITS);

/// The tokens of a text: each byte is one.
pub fn tokens_of_bytes(bytes: &[u8]) -> Vec<Token> {
    bytes.iter().copied().map(Token::from).collect()
}

/// The text of a token: its byte, or the replacement character (U+FFFD in UTF-8) of one that is no byte.
pub fn bytes_of_token(token: Token) -> Vec<u8> {
    u8::try_from(token).map_or_else(|_| "\u{fffd}".into(), |byte| vec![byte])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_tokens_and_come_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let tokens = tokens_of_bytes(&bytes);
        assert_eq!((tokens.len(), tokens[255]), (256, 255));
        assert_eq!(tokens.iter().flat_map(|&token| bytes_of_token(token)).collect::<Vec<_>>(), bytes);
        assert_eq!(bytes_of_token(256), "\u{fffd}".as_bytes());
    }
}
