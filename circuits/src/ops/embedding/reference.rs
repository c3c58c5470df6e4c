//! Gather of rows and scatter of their gradients.

use crate::{
    arithmetic::tensor::{Tensor, Wide},
    model::Token,
};

/// Row `t` of the result is the row of `embed` (`[V × d]`, frac 12) that `tokens[t] < V` names.
pub fn forward(embed: &Tensor, tokens: &[Token]) -> Tensor {
    let data = tokens.iter().flat_map(|&t| embed.row(t.into())).copied().collect();
    Tensor { rows: tokens.len(), cols: embed.cols, data }
}

/// Adds `dx[t] · 2^12` (frac 24 to 36) to the row of `d_embed` (`[V × d]`) that `tokens[t]` names.
pub fn backward(dx: &Tensor, tokens: &[Token], d_embed: &mut Wide) {
    for (t, &token) in tokens.iter().enumerate() {
        for (g, &dx) in d_embed.row_mut(token.into()).iter_mut().zip(dx.row(t)) {
            *g += i128::from(dx) << 12;
        }
    }
}
