//! scratch
use circuits::{model::*, segments::*};
fn main() {
    let mut x = std::env::args().nth(1).unwrap().parse::<u64>().unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(std::env::args().nth(2).unwrap().parse().unwrap());
    let mut r = move |n: usize| { x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (x >> 33) as usize % n };
    let mut n = 0;
    while std::time::Instant::now() < end {
        let a = if r(2) == 0 { 128 } else { 6 }; let hd = 4 * (1 + r(a)); let a = if r(2) == 0 { 8 } else { 128 }; let h = 1 + r(a); let d = hd * h;
        let big = |r: &mut dyn FnMut(usize)->usize, n: usize| 4 * (1 + if r(3) == 0 { n - 1 } else if r(3) == 0 { 0 } else { r(n) });
        let f = big(&mut r, 510); let t = big(&mut r, 64); let v = big(&mut r, 64);
        if d > 512 { continue }
        let json = Config::NANO.to_json().replace("\"hidden_size\": 16", &format!("\"hidden_size\": {d}")).replace("\"intermediate_size\": 44", &format!("\"intermediate_size\": {f}"))
          .replace("\"max_position_embeddings\": 16", &format!("\"max_position_embeddings\": {t}")).replace("\"num_attention_heads\": 2", &format!("\"num_attention_heads\": {h}")).replace("\"num_key_value_heads\": 2", &format!("\"num_key_value_heads\": {h}")).replace("\"head_dim\": 8", &format!("\"head_dim\": {hd}"))
          .replace("\"vocab_size\": 256", &format!("\"vocab_size\": {v}"));
        let Ok(config) = Config::from_json(&json) else { continue };
        let config = if r(2) == 0 { config.untied() } else { config };
        n += 1;
        let s = std::time::Instant::now();
        let est = 40*d*d+30*d*f+t*(64*d+150*f)+64*h*t*t;
        match std::panic::catch_unwind(|| Plans::new(&Spec::new(config))) {
            Ok(p) => { let col = p.layer.advice.len() * 4096; println!("d {d} f {f} h {h} t {t} v {v}: cells {} head {} ratio {:.2} {:?}", col, p.head.advice.len()*4096, col as f64/est as f64, s.elapsed()) }
            Err(_) => println!("PANIC d {d} f {f} h {h} t {t} v {v}"),
        }
    }
    println!("{n}");
    println!("{}", std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
