//! redis: one event loop, small requests, pipelines, values of every size.

use vmmc_tests::{Program, Stage, compare, net};

fn start(stage: &Stage) -> (Program, String) {
    let port = net::free_port();
    let text = port.to_string();
    let words = ["redis-server", "--port", &text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let mut server = stage.server(&words).start();
    net::await_listener(&mut server, port);
    (server, text)
}

/// Runs redis-benchmark and returns the names of the tests that it finished.
fn benchmark(stage: &Stage, more: &[&str]) -> String {
    let (_server, port) = start(stage);
    let words = [&["redis-benchmark", "-h", "127.0.0.1", "-p", &port, "--csv"], more].concat();
    let report = stage.client(&words).run();
    assert!(!report.to_lowercase().contains("error"), "{report}");
    let rates = report.lines().skip(1).filter_map(|line| line.split_once(','));
    rates.map(|(name, _)| name.to_owned()).collect::<Vec<_>>().join(" ")
}

#[test]
fn benchmark_of_fifty_clients() {
    compare("redis-benchmark", |stage| {
        benchmark(stage, &["-t", "set,get,lpush,lrange_100", "-n", "40000", "-c", "50"])
    });
}

#[test]
fn benchmark_with_pipelines_and_threads() {
    compare("redis-pipelined", |stage| {
        benchmark(stage, &["-t", "set,get,mset", "-n", "200000", "-c", "20", "-P", "16", "-d", "100", "--threads", "2"])
    });
}

#[test]
fn benchmark_of_large_values() {
    compare("redis-large", |stage| benchmark(stage, &["-t", "set,get", "-n", "2000", "-c", "4", "-d", "1000000"]));
}

/// A text of a length that never repeats another.
fn value(number: usize, length: usize) -> String {
    let mut state = number as u64 * 2_654_435_761 + 1;
    let letters = (0..length).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 33) as u8 % 26)
    });
    letters.collect()
}

/// One redis-cli session sets and gets values from one byte to a mebibyte; every answer is known beforehand.
#[test]
fn values_of_every_size_come_back_as_they_were() {
    compare("redis-values", |stage| {
        let (_server, port) = start(stage);
        let lengths: Vec<usize> = (0..400)
            .map(|n| 1 + n * 17)
            .chain((10..=20).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]))
            .collect();
        let (mut commands, mut expected) = (String::new(), String::new());
        for (number, length) in lengths.iter().enumerate() {
            let value = value(number, *length);
            commands += &format!("SET key:{number} {value}\nGET key:{number}\nSTRLEN key:{number}\n");
            expected += &format!("OK\n{value}\n{length}\n");
        }
        let input = stage.write("commands", commands);
        let answers = stage.client(&["redis-cli", "-h", "127.0.0.1", "-p", &port]).input(&input).run();
        let differs = answers.lines().zip(expected.lines()).position(|(answer, expected)| answer != expected);
        assert_eq!(differs, None, "the answer of this line is wrong");
        assert_eq!(answers.len(), expected.len());
        let _ =
            stage.client(&["redis-benchmark", "-h", "127.0.0.1", "-p", &port, "-t", "ping", "-n", "20000", "-q"]).run();
        format!("{} answers", lengths.len())
    });
}
