//! What a private step shows of its wires: that the ends of each differ in what hides them alone.

use super::wires::decode;
use super::{CheckedContribution, LossSums, StepVerifier};
use crate::batch::Batch;
use crate::error::StepError;
use crate::span::Pairs;
use backend::curve::{F, Params, PointSum};
use circuits::statements::{Bundle, DisclosedLoss, PrivateStep, Run};
use ff::PrimeField;
use group::{Curve, Group};

impl StepVerifier {
    /// Checks all but the claim of the proof of the wires: those of the contributions with their sequences, of the
    /// update, of the losses to their sum.
    pub(super) fn private(
        &self,
        batch: &mut Batch<'_>,
        (bundle, private): (&Bundle, &PrivateStep),
        contributions: &[CheckedContribution],
        of_update: Pairs,
    ) -> Result<LossSums, StepError> {
        let run = &bundle.run;
        let mut pairs: Pairs = contributions.iter().flat_map(|c| c.pairs.iter().copied()).collect();
        pairs.extend(of_update);
        let of_step = (run, bundle.step);
        let losses = self.disclosed(batch.params(), of_step, contributions, private.loss.as_ref(), &mut pairs)?;
        let refused = |source| StepError::Span { source };
        batch.add_span(&bundle.span_statement()?, &pairs, &private.span).map_err(refused)?;
        Ok(losses)
    }

    /// Adds the pair of the losses' sum and of the sum that is disclosed, where the run discloses one at this step.
    fn disclosed(
        &self,
        params: &Params,
        (run, step): (&Run, u64),
        contributions: &[CheckedContribution],
        loss: Option<&DisclosedLoss>,
        pairs: &mut Pairs,
    ) -> Result<LossSums, StepError> {
        let own = contributions.iter().flat_map(|c| &c.losses).fold(PointSum::identity(), |sum, loss| sum + loss);
        let before = match (run.disclosure.loss_of(step), loss) {
            (None, None) => return Ok(LossSums { own, before: None, said: None }),
            (Some(1), Some(DisclosedLoss { before: None, .. })) => None,
            (Some(2..), Some(DisclosedLoss { before: Some(before), .. })) => Some(decode([before])?[0]),
            _ => return Err(StepError::Disclosed),
        };
        let sum = before.map_or(own, |before| own + before);
        let said = params.generators().lagrange[0] * F::from_u128(loss.map_or(0, |loss| loss.sum));
        pairs.push((sum.to_affine(), said.to_affine()));
        Ok(LossSums { own, before, said: loss.map(|loss| loss.sum) })
    }
}
