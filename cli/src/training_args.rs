//! How a model is trained: learning rate, schedule and optimizer, as options.

use crate::error::CliError;
use circuits::arithmetic::decimal::Decimal;
use circuits::model::{Optimizer, OptimizerKind, Schedule, UpdateKind};
use circuits::ops::adamw::Betas;

/// Learning rate by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ScheduleKind {
    /// Always `--lr`
    Constant,
    /// Linear warm-up to `--lr`, then half a cosine down to `--floor` of it
    Cosine,
    /// Linear warm-up to `--lr`, then a straight line down to `--floor` of it
    Linear,
    /// Linear warm-up to `--lr`, which stays until the last `--decay` steps go down to `--floor` of it
    Stable,
}

/// Optimizers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OptimizerName {
    /// Stochastic gradient descent, as torch.optim.SGD
    #[default]
    Sgd,
    /// Adam with decoupled weight decay, as torch.optim.AdamW
    Adamw,
}

/// Options of the learning rate.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ScheduleArgs {
    /// Learning rate [default: 0.05 with sgd, 0.001 with adamw]
    #[arg(long, allow_negative_numbers = true)]
    pub lr: Option<Decimal>,
    /// Learning rate by step [default: constant]
    #[arg(long, value_enum)]
    pub schedule: Option<ScheduleKind>,
    /// Warm-up steps of a schedule that is not constant [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub warmup: Option<u64>,
    /// Last steps of the stable schedule, in which the rate goes down [default: a fifth of all]
    #[arg(long, value_name = "STEPS")]
    pub decay: Option<u64>,
    /// Lowest learning rate of a schedule after the warm-up, as a fraction of --lr [default: 0.1]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub floor: Option<Decimal>,
}

impl OptimizerName {
    /// Which it is.
    pub fn kind(self) -> OptimizerKind {
        match self {
            OptimizerName::Sgd => OptimizerKind::Sgd,
            OptimizerName::Adamw => OptimizerKind::AdamW,
        }
    }

    /// The circuit of its updates, where gradients are clipped, or not.
    pub fn update(self, clips: bool) -> UpdateKind {
        match self {
            OptimizerName::Sgd if clips => UpdateKind::ClippedSgd,
            OptimizerName::Sgd => UpdateKind::Sgd,
            OptimizerName::Adamw => UpdateKind::AdamW,
        }
    }
}

impl ScheduleArgs {
    /// The learning rate.
    pub fn rate(&self, optimizer: OptimizerKind) -> Result<Decimal, CliError> {
        let default = match optimizer {
            OptimizerKind::Sgd => "0.05",
            OptimizerKind::AdamW => "0.001",
        };
        or(self.lr, default)
    }

    /// The schedule over so many steps.
    pub fn of(&self, optimizer: OptimizerKind, steps: u64) -> Result<Schedule, CliError> {
        let (rate, kind) = (self.rate(optimizer)?, self.schedule.unwrap_or(ScheduleKind::Constant));
        let needs = |what: &str, schedule: &str| Err(CliError::Usage(format!("{what} need --schedule {schedule}")));
        if kind == ScheduleKind::Constant && (self.warmup.is_some() || self.floor.is_some()) {
            return needs("--warmup and --floor", "cosine, linear or stable");
        }
        if kind != ScheduleKind::Stable && self.decay.is_some() {
            return Err(CliError::Usage("--decay needs --schedule stable".into()));
        }
        let (warmup, floor) = (self.warmup.unwrap_or(0), or(self.floor, "0.1")?);
        let schedule = match kind {
            ScheduleKind::Constant => Schedule::constant(&rate),
            ScheduleKind::Cosine => Schedule::cosine(&rate, steps, warmup, &floor),
            ScheduleKind::Linear => Schedule::linear(&rate, steps, warmup, &floor),
            ScheduleKind::Stable => {
                let decay = self.decay.unwrap_or(steps.div_ceil(5));
                Schedule::stable(&rate, (steps, warmup, decay), &floor)
            }
        };
        schedule.map_err(|e| CliError::Usage(e.to_string()))
    }

    /// Whether anything is given.
    pub fn is_given(&self) -> bool {
        let ScheduleArgs { lr, schedule, warmup, decay, floor } = self;
        lr.is_some() || schedule.is_some() || warmup.is_some() || decay.is_some() || floor.is_some()
    }
}

/// Options of the optimizer.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OptimizerArgs {
    /// Optimizer [default: sgd]
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerName>,
    /// Of sgd: momentum, below 1 [default: 0; in a devnet 0.9]
    #[arg(long, allow_negative_numbers = true)]
    pub momentum: Option<Decimal>,
    /// Of adamw: decay of the mean of the gradients, below 1 [default: 0.9]
    #[arg(long, allow_negative_numbers = true)]
    pub beta1: Option<Decimal>,
    /// Of adamw: decay of the mean of their squares, below 1 [default: 0.999]
    #[arg(long, allow_negative_numbers = true)]
    pub beta2: Option<Decimal>,
    /// Of adamw: what is added to the root of the mean of the squares, at most 1 [default: 1e-8]
    #[arg(long, allow_negative_numbers = true)]
    pub eps: Option<Decimal>,
    /// Weight decay, at most 1; that of adamw is decoupled from the gradients [default: 0 with sgd, 0.01 with adamw]
    #[arg(long, allow_negative_numbers = true)]
    pub weight_decay: Option<Decimal>,
    /// Norm that the mean gradient is clipped to, above 0; with adamw at most 16 [default: none with sgd, 16 with adamw]
    #[arg(long, value_name = "NORM", allow_negative_numbers = true)]
    pub clip: Option<Decimal>,
}

impl OptimizerArgs {
    /// Which is asked for.
    pub fn kind(&self) -> OptimizerKind {
        self.optimizer.unwrap_or_default().kind()
    }

    /// The circuit of its updates.
    pub fn update(&self) -> UpdateKind {
        self.optimizer.unwrap_or_default().update(self.clip.is_some())
    }

    /// The optimizer, with this momentum where none is given.
    pub fn of(&self, momentum: &str) -> Result<Optimizer, CliError> {
        let foreign = |name: &str, of: &str| Err(CliError::Usage(format!("{name} is of --optimizer {of}")));
        match self.kind() {
            OptimizerKind::Sgd => {
                let given = [("--beta1", self.beta1), ("--beta2", self.beta2), ("--eps", self.eps)];
                if let Some((name, _)) = given.iter().find(|(_, given)| given.is_some()) {
                    return foreign(name, "adamw");
                }
                let (momentum, weight_decay) = (or(self.momentum, momentum)?, or(self.weight_decay, "0")?);
                Ok(Optimizer::Sgd { momentum, weight_decay, clip: self.clip })
            }
            OptimizerKind::AdamW if self.momentum.is_some() => foreign("--momentum", "sgd"),
            OptimizerKind::AdamW => Ok(Optimizer::AdamW(Betas {
                beta1: or(self.beta1, "0.9")?,
                beta2: or(self.beta2, "0.999")?,
                eps: or(self.eps, "1e-8")?,
                weight_decay: or(self.weight_decay, "0.01")?,
                clip: or(self.clip, "16")?,
            })),
        }
    }

    /// The first option that is given and is not what an optimizer has, what it is, and what that has.
    pub fn contradicts(&self, optimizer: &Optimizer) -> Option<(&'static str, String, String)> {
        let (momentum, betas, decay) = match optimizer {
            Optimizer::Sgd { momentum, weight_decay, .. } => (Some(momentum), None, weight_decay),
            Optimizer::AdamW(betas) => (None, Some(betas), &betas.weight_decay),
        };
        if self.optimizer.is_some() && self.kind() != optimizer.kind() {
            return Some(("optimizer", self.kind().name().into(), optimizer.kind().name().into()));
        }
        let all = [
            ("momentum", &self.momentum, momentum),
            ("beta1", &self.beta1, betas.map(|b| &b.beta1)),
            ("beta2", &self.beta2, betas.map(|b| &b.beta2)),
            ("eps", &self.eps, betas.map(|b| &b.eps)),
            ("weight-decay", &self.weight_decay, Some(decay)),
            ("clip", &self.clip, optimizer.clip()),
        ];
        let (name, given, has) = all.into_iter().find(|(_, given, has)| given.is_some() && given.as_ref() != *has)?;
        let told = |decimal: Option<&Decimal>| decimal.map_or_else(|| "none".into(), plain);
        Some((name, told(given.as_ref()), told(has)))
    }
}

fn or(given: Option<Decimal>, default: &str) -> Result<Decimal, CliError> {
    let parsed = |_| CliError::Usage(format!("{default} is not a number"));
    given.map_or_else(|| default.parse().map_err(parsed), Ok)
}

/// A decimal without an exponent.
pub fn plain(decimal: &Decimal) -> String {
    let (digits, exponent) = (decimal.digits().to_string(), decimal.exponent());
    match usize::try_from(exponent) {
        Ok(zeros) => digits + &"0".repeat(zeros),
        Err(_) => {
            let places = exponent.unsigned_abs() as usize;
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            format!("{whole}.{fraction}")
        }
    }
}
