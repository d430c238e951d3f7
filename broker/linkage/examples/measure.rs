//! Measures linkage on a labelled file of `gen_uk.py`: quality over thresholds, traps, times, memory.

use severn_linkage::bulk::score_all;
use severn_linkage::identity::{Address, Identity, Name, NhsNumber, Sex};
use severn_linkage::model::Model;
use severn_linkage::population::Population;
use severn_linkage::train::{Training, train};
use std::collections::HashMap;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let file = &args[1];
    let with_nhs = args.iter().any(|a| a == "nhs");
    let show = args.iter().any(|a| a == "show");
    let t0 = Instant::now();
    let mut reader = csv::Reader::from_path(format!("{file}.csv")).unwrap();
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let col = |name: &str| head.iter().position(|h| h == name);
    let c: Vec<usize> = ["rec_id", "person_id", "nhs_number", "nhs_status", "given", "middle", "family", "dob", "sex", "line1", "postcode", "phone", "tags"]
        .iter().map(|n| col(n).unwrap()).collect();
    let mut population = Population::new();
    let mut ids = Vec::new();
    let mut persons: Vec<u32> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    let mut record = csv::StringRecord::new();
    let bare = args.iter().any(|a| a == "bare");
    while reader.read_record(&mut record).unwrap() {
        let g = |i: usize| &record[c[i]];
        if show { lines.push(record.iter().collect::<Vec<_>>().join(",")); }
        let row = ids.len() as u32;
        ids.push(g(0)[1..].parse::<u32>().unwrap());
        persons.push(g(1)[1..].parse().unwrap());
        let given = [g(4), g(5)];
        let names = [Name { given: &given, family: g(6), ..Name::default() }];
        let l = [g(9)];
        let addresses = [Address { lines: &l, postcode: g(10) }];
        let phones = [g(11)];
        let identity = Identity {
            nhs_number: if with_nhs { NhsNumber::parse(g(2)) } else { None },
            nhs_number_verified: g(3) == "01",
            names: &names,
            birth_date: g(7),
            sex: Sex::parse(g(8)),
            addresses: if bare { &[] } else { &addresses },
            phones: if bare { &[] } else { &phones },
            ..Identity::default()
        };
        population.insert_bulk(row, &identity);
    }
    let t1 = Instant::now();
    population.index_bulk(2);
    let t2 = Instant::now();
    let model = match args.iter().position(|a| a == "model") {
        Some(i) => Model::read(std::fs::File::open(&args[i + 1]).unwrap()).unwrap(),
        None => train(&population, &Training::new(7, 2)),
    };
    let t3 = Instant::now();
    let mut pairs = Vec::new();
    let scored = score_all(&population, &model, 2, &mut |batch, _| pairs.extend_from_slice(batch));
    let t4 = Instant::now();
    let secs = |a: Instant, b: Instant| (b - a).as_secs_f64();
    println!("load {:.2} index {:.2} train {:.2} score {:.2} pairs {} cut {} bytes/record {}", secs(t0, t1), secs(t1, t2), secs(t2, t3), secs(t3, t4), scored.compared, scored.cut.len(), population.bytes() / ids.len());
    if let Some(i) = args.iter().position(|a| a == "out") {
        model.write(std::fs::File::create(&args[i + 1]).unwrap()).unwrap();
    }
    let mut sizes: HashMap<u32, u64> = HashMap::new();
    for p in &persons { *sizes.entry(*p).or_default() += 1; }
    let n_true: u64 = sizes.values().map(|n| n * (n - 1) / 2).sum();
    let mut s: Vec<(f64, bool)> = pairs.iter().map(|p| (p.score.bits, persons[p.one as usize] == persons[p.two as usize])).collect();
    s.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut tp, mut best, mut r999, mut w999) = (0u64, (0.0, 0.0), 0.0, 0.0);
    let mut at: Vec<(f64, u64, u64)> = Vec::new();
    let mut bands: HashMap<i32, (u64, u64)> = HashMap::new();
    for (i, (w, t)) in s.iter().enumerate() {
        tp += u64::from(*t);
        let b = bands.entry(w.floor().clamp(-10.0, 30.0) as i32).or_default(); b.0 += 1; b.1 += u64::from(*t);
        let k = i as u64 + 1;
        if i + 1 < s.len() && s[i + 1].0 == *w { continue; }
        let (p, r) = (tp as f64 / k as f64, tp as f64 / n_true as f64);
        let f = 2.0 * p * r / (p + r);
        if f > best.0 { best = (f, *w); }
        if p >= 0.999 && r > r999 { r999 = r; w999 = *w; }
        at.push((*w, tp, k));
    }
    println!("true {n_true} blocked {:.4}  F1 {:.4} at {:.1}  R@P.999 {:.4} at {:.1}", tp as f64 / n_true as f64, best.0, best.1, r999, w999);
    for p in [0.5, 0.95, 0.99, 0.999, 0.9999] {
        let w = (p / (1.0 - p) as f64).log2();
        let j = at.partition_point(|x| x.0 >= w);
        if j > 0 { let (_, tp, k) = at[j - 1]; let (pr, r) = (tp as f64 / k as f64, tp as f64 / n_true as f64); println!("  p>={p}: links {k} wrong {} P {:.5} R {:.4} F1 {:.4}", k - tp, pr, r, 2.0 * pr * r / (pr + r)); }
    }
    let mut bv: Vec<_> = bands.into_iter().collect(); bv.sort();
    let line: Vec<String> = bv.iter().filter(|x| x.0 >= -6 && x.0 <= 16).map(|(b, (n, t))| format!("{b}:{n}/{:.3}", *t as f64 / *n as f64)).collect();
    println!("  bands {}", line.join(" "));
    if args.iter().any(|a| a == "traps") {
        let row_of: HashMap<u32, u32> = ids.iter().enumerate().map(|(r, i)| (*i, r as u32)).collect();
        let mut counts: std::collections::BTreeMap<String, [u32; 4]> = Default::default();
        for r in csv::Reader::from_path(format!("{file}_traps.csv")).unwrap().records() {
            let r = r.unwrap();
            let (a, b) = (row_of[&r[0][1..].parse::<u32>().unwrap()], row_of[&r[1][1..].parse::<u32>().unwrap()]);
            let (a, b) = (a.min(b), a.max(b));
            let p = pairs.binary_search_by_key(&(a, b), |x| (x.one, x.two)).map_or(-1.0, |i| pairs[i].score.probability);
            let c = counts.entry(r[2].to_owned()).or_default();
            c[0] += 1; if p >= 0.999 { c[1] += 1 } else if p >= 0.5 { c[2] += 1 } else if p < 0.0 { c[3] += 1 }
        }
        for (k, c) in counts { println!("  {k:32} n {:6} link {:.4} review {:.4} none {:.4} unblocked {:.4}", c[0], f64::from(c[1]) / f64::from(c[0]), f64::from(c[2]) / f64::from(c[0]), f64::from(c[0] - c[1] - c[2]) / f64::from(c[0]), f64::from(c[3]) / f64::from(c[0])); }
    }
    if show {
        let mut wrong: Vec<_> = pairs.iter().filter(|p| p.score.bits > 3.0 && persons[p.one as usize] != persons[p.two as usize]).collect();
        wrong.sort_by(|a, b| b.score.bits.total_cmp(&a.score.bits));
        let explain = |p: &severn_linkage::bulk::ScoredPair| {
            println!("{:.1}  {}\n      {}", p.score.bits, lines[p.one as usize], lines[p.two as usize]);
            for r in model.explain(&p.comparison) { print!("   {}={} {:.1};", r.field.name(), r.level, r.weight_bits); }
            println!();
        };
        println!("WRONG {}", wrong.len());
        for p in wrong.iter().take(40) { explain(p); }
        let mut missed: Vec<_> = pairs.iter().filter(|p| p.score.bits < 6.0 && persons[p.one as usize] == persons[p.two as usize]).collect();
        missed.sort_by(|a, b| b.score.bits.total_cmp(&a.score.bits));
        println!("MISSED {}", missed.len());
        for p in missed.iter().step_by(missed.len() / 60 + 1) { explain(p); }
    }
}
