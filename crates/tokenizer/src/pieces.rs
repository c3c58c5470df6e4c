//! Long texts, cut where no word goes on.

/// Fewest bytes of a piece but the last.
const PIECE: usize = 1 << 16;

/// A text in pieces that end in a line's end between two characters that are not white. For the words of GPT-2, as the library's
/// `ByteLevel` cuts them, that makes no difference: a word that has a line's end is all white, and how white is cut depends on nothing but
/// the character after it. Where there is no such place, a piece is longer.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut left = text;
    std::iter::from_fn(move || {
        let neutral = |&at: &usize| {
            let (before, after) = (left[..at].chars().next_back(), left[at + 1..].chars().next());
            [before, after].into_iter().all(|c| c.is_some_and(|c| !c.is_whitespace()))
        };
        let ends = left.match_indices('\n').map(|(at, _)| at).filter(|&at| at + 1 >= PIECE);
        let end = { ends }.find(neutral).map_or(left.len(), |at| at + 1);
        let (piece, rest) = left.split_at(end);
        left = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
