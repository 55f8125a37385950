//! Temporary.
fn main() {
    use pocket_dock_tests::{lab, suite::{Bench, Blocking, cases}};
    let words: Vec<String> = std::env::args().skip(1).collect();
    let engines: Vec<&str> = words[0].split(',').collect();
    let mut failed = 0;
    for running in lab::running() {
        let engine = running.engine.name;
        if !engines.contains(&engine) { continue; }
        let bench = Bench::new(Blocking, running.peer()).unwrap();
        for case in cases::<Blocking>() {
            if !words[1..].iter().any(|word| case.name.contains(word.as_str())) { continue; }
            let began = std::time::Instant::now();
            let verdict = (case.run)(&bench);
            let took = began.elapsed();
            match verdict {
                Ok(()) => println!("ok {engine} {} {took:?}", case.name),
                Err(error) => { failed += 1; println!("FAILED {engine} {} {took:?}: {error}", case.name) }
            }
        }
    }
    std::process::exit(i32::from(failed > 0));
}
