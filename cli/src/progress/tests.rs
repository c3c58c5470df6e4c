//! The time left, on steps that were recorded with `cargo run --release -p benches --bin stages`.

use super::{COMMITTED, Estimate, FILLED};
use backend::keys::Shape;
use circuits::model::{Config, Spec};
use circuits::segments::{Circuits, SegmentKind};
use prover::engine::Stage;
use prover::step::TaskStage;

use std::time::Duration;

/// A recorded step.
struct Record {
    config: Config,
    contributions: usize,
    told: Vec<(Duration, TaskStage)>,
    end: Duration,
}

impl Record {
    fn parse(text: &str) -> Self {
        let ms = |text: &str| Duration::from_millis(text.parse().unwrap());
        let number = |text: &str| text.parse::<usize>().unwrap();
        let mut record =
            Record { config: Config::preset("nano").unwrap(), contributions: 0, told: vec![], end: Duration::ZERO };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let mut tell = |stage| {
                let segment = SegmentKind::ALL.into_iter().find(|part| part.plural() == words[1]).unwrap();
                record.told.push((ms(words[0]), TaskStage { task: number(words[2]), segment, stage }));
            };
            match words[..] {
                ["preset", name] => record.config = Config::preset(name).unwrap(),
                ["contributions", n] => record.contributions = number(n),
                ["end", at] => record.end = ms(at),
                [_, _, _, "committed", done, of] => {
                    tell(Stage::Committed { done: number(done), of: number(of) });
                }
                [_, _, _, "filled"] => tell(Stage::Filled),
                [_, _, _, "proving", written, of] => {
                    tell(Stage::Proving { written: number(written), of: number(of) });
                }
                [_, _, _, "checked", instances] => tell(Stage::Checked { instances: number(instances) }),
                _ => panic!("{line}"),
            }
        }
        assert!(record.contributions > 0 && record.told.last().unwrap().0 <= record.end);
        record
    }

    fn estimate(&self) -> Estimate {
        let spec = Spec::new(self.config.clone());
        let circuits = Circuits::new(&spec);
        // The instances that were proven, as they were told.
        let instances = |part| {
            let mut found = 0;
            for told in &self.told {
                match *told {
                    (_, TaskStage { segment, stage: Stage::Committed { done: 1, of }, .. }) if segment == part => {
                        found += of
                    }
                    _ => {}
                }
            }
            found
        };
        assert_eq!(instances(SegmentKind::Layer), self.contributions * self.config.layers);
        assert_eq!(instances(SegmentKind::Head), self.contributions);
        Estimate::new(SegmentKind::ALL.map(|part| (part, Shape::of(circuits.plan(part)).unwrap(), instances(part))))
    }
}

/// 7.22: looked at when something is told, and at the last moment before the next. A twentieth of the whole is always
/// allowed: at the end, nothing says when the last second is over.
#[test]
fn the_time_left_is_within_a_factor_of_two_after_the_first_tenth() {
    for (name, text) in [
        ("nano-1", include_str!("records/nano-1.txt")),
        ("nano-4", include_str!("records/nano-4.txt")),
        ("micro-1", include_str!("records/micro-1.txt")),
    ] {
        let record = Record::parse(text);
        let mut estimate = record.estimate();
        assert_eq!(estimate.left(record.end), None, "{name}: nothing is known yet");
        let mut done = 0.0;
        let mut looked = 0;
        for (i, &(at, told)) in record.told.iter().enumerate() {
            estimate.observe(told, at);
            assert!(estimate.done() >= done, "{name}: goes back at {at:?}");
            done = estimate.done();
            let next = record.told.get(i + 1).map_or(record.end, |next| next.0);
            for now in [at, next].into_iter().filter(|&now| now > record.end / 10) {
                let (left, truth) = (estimate.left(now).unwrap(), record.end - now);
                let slack = record.end / 20;
                assert!(
                    left <= 2 * truth + slack && truth <= 2 * left + slack,
                    "{name}: {left:?} shown at {now:?} of {:?} ({told:?})",
                    record.end
                );
                looked += 1;
            }
        }
        assert!(estimate.work.iter().all(|part| part.done == part.instances), "{name}");
        assert!((0.85..0.999).contains(&done), "{name}: only the opening is left at {done}");
        assert!(looked > 30, "{name}: looked at {looked} moments");
    }
}

/// A machine that is slower all over shows the same share and as much more time.
#[test]
fn a_slower_machine_shows_as_much_more_time() {
    let record = Record::parse(include_str!("records/nano-1.txt"));
    let (mut fast, mut slow) = (record.estimate(), record.estimate());
    for &(at, told) in &record.told {
        fast.observe(told, at);
        slow.observe(told, 7 * at);
        assert_eq!(fast.done(), slow.done());
        let (fast, slow) = (fast.left(at).unwrap(), slow.left(7 * at).unwrap());
        assert!((slow.as_secs_f64() - 7.0 * fast.as_secs_f64()).abs() < 1e-3, "{fast:?} {slow:?}");
    }
}

/// Tasks are under way side by side: each counts for itself, and once.
#[test]
fn two_proofs_of_one_kind_at_a_time_are_counted_once_each() {
    let circuits = Circuits::new(&Spec::new(Config::preset("nano").unwrap()));
    let shape = Shape::of(&circuits.layer.plan).unwrap();
    let mut estimate = Estimate::new([(SegmentKind::Layer, shape, 3)]);
    let mut now = Duration::ZERO;
    let mut tell = |task, stage| {
        now += Duration::from_secs(1);
        estimate.observe(TaskStage { task, segment: SegmentKind::Layer, stage }, now);
        estimate.done()
    };
    let committed = Stage::Committed { done: 1, of: 1 };
    let checked = Stage::Checked { instances: 1 };
    let is = |done: f64, of_one: f64| assert!((done - of_one / 3.0).abs() < 1e-9, "{done}");
    is(tell(0, committed), COMMITTED);
    // The first one is supposed to go on, as far as it would not have told.
    is(tell(1, committed), COMMITTED + FILLED);
    is(tell(1, Stage::Filled), FILLED + FILLED);
    is(tell(1, checked), 1.0 + FILLED);
    assert!((tell(0, checked) - 2.0 / 3.0).abs() < 1e-9);
    // Told late: nothing is in hand.
    assert!((tell(1, Stage::Filled) - 2.0 / 3.0).abs() < 1e-9);
    tell(2, committed);
    assert!((tell(2, checked) - 1.0).abs() < 1e-9);
}
