//! Verifying keys as files: which are believed, and what is made instead of those that are not.
#![allow(clippy::unwrap_used)]

use backend::cache::{Cache, Fault, Origin};
use backend::curve::{DEFAULT_K, Params};
use backend::gates::Node;
use backend::keys::{KeyError, Shape, VerifyingKey};
use backend::parameters;
use backend::ports::PortError;
use circuits::model::{Config, Gradients, Spec, State};
use circuits::segments::{Circuits, Privacy, SegmentKind, Variant};
use circuits::statements::Layouts;
use circuits::statements::codec::encode;
use plonkish::{Blinding, RESERVED_ROWS, Selector};
use std::cell::LazyCell;
use std::fs;
use std::sync::LazyLock;
use verifier::keys::{Expected, KeysError, Loaded, Wanted, file_name, pinned};
use verifier::{KeysDigest, VerifyingKeys};

static PARAMS: LazyLock<Params> = LazyLock::new(|| {
    let params = parameters::load(None, DEFAULT_K).unwrap().params;
    params.bases();
    params
});
static NANO: LazyLock<VerifyingKeys> = LazyLock::new(|| made(&Config::NANO));

fn circuits(config: &Config) -> Circuits {
    Circuits::new(&Spec::new(config.clone()))
}

fn made(config: &Config) -> VerifyingKeys {
    VerifyingKeys::make(&PARAMS, &circuits(config), config, &mut |_, _| {}).unwrap()
}

/// The smallest model there is, of no preset.
fn tiny() -> Config {
    let json = Config::NANO.to_json();
    let json = json.replace("\"intermediate_size\": 44", "\"intermediate_size\": 4");
    let tiny = Config::from_json(&json).unwrap();
    assert_ne!(tiny, Config::NANO);
    tiny
}

fn load(config: &Config, named: Option<[u8; 32]>, cache: &Cache) -> Result<Loaded, KeysError> {
    let wanted = Wanted { params: &PARAMS, variant: Variant::default(), config, named };
    wanted.load(Some(cache), &LazyCell::new(|| circuits(config)), &mut |_, _| {})
}

/// The keys of every preset are those of halo2, and have the pinned digest; private circuits have others.
#[test]
fn presets_have_the_pinned_keys() {
    let presets = [Config::NANO, Config::MICRO, Config::MINI];
    assert_eq!(presets.each_ref().map(Config::k), [12, 12, 13]);
    let hex = |digest: KeysDigest| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut others = vec![];
    for variant in Variant::all() {
        let digest_of = |config: &Config| {
            let params = backend::parameters::load(None, config.k()).unwrap().params;
            let circuits = Circuits::of(&Spec::new(config.clone()), variant);
            let keys = VerifyingKeys::make(&params, &circuits, config, &mut |_, _| {}).unwrap();
            // Of other circuits one: they differ in fixed columns, and in the update.
            if variant == Variant::default() || *config == Config::NANO {
                assert_eq!(VerifyingKeys::by_halo2(&params, &circuits, config, &mut |_, _| {}).unwrap(), keys);
            }
            SegmentKind::ALL.into_iter().for_each(|kind| keys.of(kind).check_consistent().unwrap());
            assert_eq!(keys.variant(config), Some(variant));
            keys.digest().unwrap()
        };
        let of_circuits = presets.each_ref().map(|config| hex(digest_of(config)));
        let of_program = presets.each_ref().map(|config| pinned(variant, config).map_or(String::new(), hex));
        if of_circuits != of_program {
            others.push((variant, of_circuits));
        }
        assert_eq!(pinned(variant, &Config::NANO.untied()), None);
    }
    assert_eq!(others, [], "the digests of these circuits are others");
}

/// What private ports are opened at is less than what hides them, in every private circuit.
#[test]
fn private_ports_are_hidden() {
    for variant in Variant::all_of(Privacy::Private) {
        let circuits = Circuits::of(&Spec::new(Config::NANO), variant);
        for kind in SegmentKind::ALL {
            let shape = Shape::of(circuits.plan(kind)).unwrap();
            assert!(circuits.plan(kind).ports.iter().all(|port| port.blinding == Blinding::Fresh));
            assert!(shape.port_openings.iter().all(|&openings| openings < shape.blinding_rows), "{kind:?}: {shape:?}");
        }
    }
}

/// The keys with one commitment of a fixed column exchanged: all checksums are right.
fn exchanged(keys: &VerifyingKeys) -> VerifyingKeys {
    let mut other = keys.clone();
    other.layer.fixed.swap(0, 1);
    assert_ne!(other, *keys);
    other
}

#[test]
fn an_exchanged_commitment_is_refused_where_a_digest_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    // A preset.
    let write = |config: &Config, keys: &VerifyingKeys| {
        cache.write(&file_name(Variant::default(), config), &[&encode(keys).unwrap()]).unwrap()
    };
    write(&Config::NANO, &exchanged(&NANO));
    let loaded = load(&Config::NANO, None, &cache).unwrap();
    assert_eq!((loaded.origin, loaded.expected), (Origin::Replaced(Fault::Foreign), Some(Expected::Pinned)));
    assert_eq!(loaded.keys, *NANO);
    assert_eq!(load(&Config::NANO, None, &cache).unwrap().origin, Origin::Cache);
    // A chain's model, of no preset.
    let (config, keys) = (tiny(), made(&tiny()));
    let named = Some(keys.digest().unwrap());
    write(&config, &exchanged(&keys));
    let loaded = load(&config, named, &cache).unwrap();
    assert_eq!((loaded.origin, loaded.expected), (Origin::Replaced(Fault::Foreign), Some(Expected::Named)));
    assert_eq!(loaded.keys, keys);
    // The program's own circuits are none of a chain that names others.
    let other = Some(exchanged(&keys).digest().unwrap());
    assert!(matches!(load(&config, other, &cache), Err(KeysError::Digest(Expected::Named))));
    // The same without a digest: the directory alone vouches for the file, and making the keys anew finds it out.
    write(&config, &exchanged(&keys));
    let loaded = load(&config, None, &cache).unwrap();
    assert_eq!((loaded.origin, loaded.expected), (Origin::Cache, None));
    assert_eq!(loaded.keys, exchanged(&keys));
    let fresh = |config: &Config| {
        Wanted { params: &PARAMS, variant: Variant::default(), config, named: None }.fresh(
            Some(&cache),
            &&circuits(config),
            &mut |_, _| {},
        )
    };
    assert!(
        matches!(fresh(&config), Err(KeysError::Exchanged(path)) if path == cache.path(&file_name(Variant::default(), &config)))
    );
    write(&config, &keys);
    let found = fresh(&config).unwrap();
    assert_eq!((found.keys, found.origin), (keys.clone(), Origin::Cache));
    // What is no key at all is replaced.
    for (bytes, fault) in [(&b"x"[..], Fault::Header), (&encode(&*NANO).unwrap(), Fault::Foreign)] {
        cache.write(&file_name(Variant::default(), &config), &[bytes]).unwrap();
        assert_eq!(fresh(&config).unwrap().origin, Origin::Replaced(fault));
        assert_eq!(fresh(&config).unwrap().origin, Origin::Cache);
    }
    // A genesis does not name other keys for a preset than those that are pinned.
    let other = Some(exchanged(&NANO).digest().unwrap());
    write(&Config::NANO, &exchanged(&NANO));
    assert!(matches!(load(&Config::NANO, other, &cache), Err(KeysError::Conflict)));
}

#[test]
fn files_that_are_not_keys_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path().join("made on demand"));
    let (config, keys) = (tiny(), made(&tiny()));
    let file = cache.path(&file_name(Variant::default(), &config));
    assert_eq!(load(&config, None, &cache).unwrap().origin, Origin::Made);
    let good = fs::read(&file).unwrap();
    assert_eq!(good, encode(&keys).unwrap());
    assert_eq!(load(&config, None, &cache).unwrap().origin, Origin::Cache);
    let damaged = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let with = |change: &dyn Fn(&mut VerifyingKeys)| {
        let mut keys = keys.clone();
        change(&mut keys);
        encode(&keys).unwrap()
    };
    let faulty = [
        (vec![], Fault::Size),
        (good[..20].to_vec(), Fault::Size),
        (good[..good.len() - 1].to_vec(), Fault::Digest),
        ([&good[..], &[0]].concat(), Fault::Digest),
        (damaged(0), Fault::Header),
        (damaged(8), Fault::Header),
        (damaged(good.len() / 2), Fault::Digest),
        (damaged(good.len() - 1), Fault::Digest),
        // Of another model, whole.
        (encode(&*NANO).unwrap(), Fault::Foreign),
        // Of the model, and useless.
        (with(&|keys| std::mem::swap(&mut keys.layer, &mut keys.head)), Fault::Points),
        (with(&|keys| keys.head.sigma.truncate(3)), Fault::Points),
    ];
    for (bytes, fault) in faulty {
        fs::write(&file, bytes).unwrap();
        let loaded = load(&config, None, &cache).unwrap();
        assert_eq!((&loaded.origin, &loaded.keys), (&Origin::Replaced(fault), &keys));
        assert!(loaded.not_written.is_none());
        assert_eq!(fs::read(&file).unwrap(), good);
    }
    // What others could have written is not read, and written again all the same.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let dir = file.parent().unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
        let loaded = load(&config, None, &cache).unwrap();
        assert_eq!(loaded.origin, Origin::Replaced(Fault::Public(fs::canonicalize(dir).unwrap())));
        // A genesis may be anyone's, too.
        let named = load(&config, Some(keys.digest().unwrap()), &cache).unwrap();
        assert!(matches!(named.origin, Origin::Replaced(Fault::Public(_))));
        // The program vouches for a preset's keys, wherever they are from.
        cache.write(&file_name(Variant::default(), &Config::NANO), &[&encode(&*NANO).unwrap()]).unwrap();
        assert_eq!(load(&Config::NANO, None, &cache).unwrap().origin, Origin::Cache);
    }
}

/// Two processes that make the same keys leave one whole file.
#[test]
fn two_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, config) = (Cache::new(dir.path()), tiny());
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| load(&config, None, &cache).unwrap()));
        let [a, b] = both.map(|thread| thread.join().unwrap().keys);
        assert_eq!(a, b);
    });
    assert_eq!(load(&config, None, &cache).unwrap().origin, Origin::Cache);
}

/// Each part of a key that can be at odds with the others is found to be.
#[test]
fn parts_that_do_not_fit_are_found() {
    let key = &NANO.head;
    key.check_consistent().unwrap();
    fn selector(key: &mut VerifyingKey) -> &mut Selector {
        key.gates.constraints[0].selector.as_mut().unwrap()
    }
    type Change = dyn Fn(&mut VerifyingKey);
    let cases: [(&str, &Change); 29] = [
        ("the number of rows", &|k| k.shape.k = 0),
        ("the number of rows", &|k| k.shape.k = 64),
        ("the number of columns", &|k| k.shape.advice = usize::MAX),
        ("the number of columns", &|k| k.shape.publics = usize::MAX),
        ("the number of public values", &|k| k.shape.publics = 1 << 12),
        ("the number of public values", &|k| k.shape.blinding_rows = 0),
        ("the ports", &|k| k.shape.phase1 = k.shape.advice + 1),
        ("the ports", &|k| (k.shape.advice, k.shape.phase1) = (0, 0)),
        ("the cells that are opened", &|k| {
            let column = k.queries.advice[0].0;
            k.queries.advice.push((column, 1 << 12));
            k.shape.advice_queries += 1;
        }),
        ("the cells that are opened", &|k| {
            let column = k.queries.advice[0].0;
            (20..40).for_each(|rotation| k.queries.advice.push((column, rotation)));
            k.shape.advice_queries += 20;
        }),
        ("the ports", &|k| (k.shape.ports[0].start, k.shape.ports[0].end) = (2, 1)),
        ("the ports", &|k| k.shape.ports[1].end = 1 << 20),
        ("the openings of ports", &|k| k.shape.port_openings.truncate(1)),
        ("the cells that are opened", &|k| k.shape.advice_queries += 1),
        ("the cells that are opened", &|k| k.queries.advice[0] = k.queries.advice[1]),
        ("the cells that are opened", &|k| k.queries.advice[0].0 = 1 << 20),
        ("the cells that are opened", &|k| k.queries.fixed[0] = 1 << 20),
        ("the cells that are opened", &|k| k.queries.permuted[0] = 1 << 20),
        ("the cells that are opened", &|k| drop(k.fixed.split_off(3))),
        ("the permutation", &|k| k.sigma.truncate(4)),
        ("the permutation", &|k| k.shape.permutation_products -= 1),
        ("the permutation", &|k| k.shape.quotient_pieces = 1),
        ("the points that polynomials are opened at", &|k| k.shape.point_sets += 1),
        ("the order of the gates' parts", &|k| k.gates.nodes[0] = Node::Add(0, 0)),
        ("the cells that gates read", &|k| k.gates.nodes[0] = Node::Cell(plonkish::Global::Fixed(0), 1)),
        ("the constraints", &|k| k.gates.constraints[0].node = usize::MAX),
        ("the constraints", &|k| selector(k).column = usize::MAX),
        ("the constraints", &|k| selector(k).value = 0),
        ("the constraints", &|k| selector(k).values = 1 << 20),
    ];
    for (what, change) in cases {
        let mut other = key.clone();
        change(&mut other);
        let error = other.check_consistent().unwrap_err().to_string();
        assert!(error.ends_with(what), "{what}: {error}");
    }
}

/// A column of 2^12 rows has a commitment under parameters for 2^13 too: another one.
#[test]
fn parameters_of_another_height_are_refused() {
    let params = parameters::load(None, DEFAULT_K + 1).unwrap().params;
    let (config, layouts) = (Config::NANO, Layouts::new(&Config::NANO));
    let height = |rows, usable| PortError::OtherRows { rows, usable };
    let refused = height((1 << DEFAULT_K) - RESERVED_ROWS, (2 << DEFAULT_K) - RESERVED_ROWS);
    assert_eq!(layouts.commit_state(&params, &State::init(&config, 1)).unwrap_err(), refused);
    assert_eq!(layouts.commit_gradients(&params, &Gradients::zeros(&config)).unwrap_err(), refused);
    let keys = VerifyingKeys::make(&params, &circuits(&config), &config, &mut |_, _| {});
    assert!(matches!(keys, Err(KeyError::Rows { plan: DEFAULT_K, params }) if params == DEFAULT_K + 1));
}
