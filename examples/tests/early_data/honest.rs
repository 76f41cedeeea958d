//! Honest clients: behind the layer that makes requests wait they get whole answers, and none waits for a time limit.

use std::time::Duration;

use fastopen::for_rustls::allow_early_data;
use fastopen::for_tower::ConfirmLayer;
use fastopen_examples::certificate::Certificate;
use fastopen_examples::lab::Site;
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::client::{Client, answers, get, post};
use crate::server::{Log, pattern, serve};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("honest::early_bodies_of_every_size", early_bodies_of_every_size),
        test("honest::pipelined_requests", pipelined_requests),
        test("honest::answers_of_every_size", answers_of_every_size),
        test(
            "honest::a_handler_that_awaits_the_confirmation",
            a_handler_that_awaits_the_confirmation,
        ),
        test("honest::a_client_that_only_reads", a_client_that_only_reads),
        test(
            "honest::tickets_come_though_it_closes",
            tickets_come_though_it_closes,
        ),
    ]
    .into_iter()
}

const SIZES: [usize; 9] = [1, 100, 1_400, 8_000, 16_000, 20_000, 64_000, 100_000, 1_000_000];

/// As much longer than the path's round-trip time as to be the layer's limit, and nothing else.
const LIMIT: Duration = Duration::from_secs(20);
const NO_WAIT: Duration = Duration::from_secs(10);

fn site() -> (Site, Client, Log) {
    let site = Site::new(&Scenario::new("clean").with_rtt(Duration::from_millis(10)));
    let certificate = Certificate::new(&[&site.address(443).ip().to_string()]);
    let mut config = certificate.server();
    allow_early_data(&mut config, 16 * 1024);
    let log = Log::default();
    let app = log.app().layer(ConfirmLayer::new().with_timeout(LIMIT));
    serve(&site, 443, config, app);
    let client = Client::with_tickets(&site, 443, certificate.client());
    log.take();
    (site, client, log)
}

/// Sends that, as far as possible as early data, and reads the answers.
fn exchange(site: &Site, client: &Client, request: Vec<u8>, count: usize) -> Vec<(u16, Vec<u8>)> {
    let client = client.clone();
    site.client(async move {
        let began = Instant::now();
        let mut stream = client.connect().await;
        stream.write_all(&request).await.unwrap();
        stream.flush().await.unwrap();
        let answers = answers(&mut stream, count).await;
        assert!(stream.get_ref().1.is_early_data_accepted());
        assert!(began.elapsed() < NO_WAIT, "it took {:?}", began.elapsed());
        // Closes when the server does, or keeps alive.
        answers
    })
}

fn early_bodies_of_every_size() {
    let (site, client, log) = site();
    for size in SIZES {
        for close in [true, false] {
            let answer = exchange(&site, &client, post(size, close), 1);
            assert_eq!(answer[0].0, 200, "{size} bytes");
            assert!(answer[0].1 == pattern(size), "{size} bytes came back otherwise");
            client.get_tickets(&site);
        }
    }
    let ran = log.take();
    let posts: Vec<_> = ran.iter().filter(|ran| ran.method == "POST").collect();
    assert_eq!(posts.len(), 2 * SIZES.len(), "each once");
    assert!(posts.iter().all(|ran| ran.confirmed), "{posts:?}");
}

fn pipelined_requests() {
    let (site, client, log) = site();
    for (first, second) in [(10, 10), (5_000, 5_000), (15_000, 300), (300, 30_000)] {
        let both = [post(first, false), get("/answer/5", false), post(second, true)].concat();
        let answers = exchange(&site, &client, both, 3);
        let expected = [pattern(first), pattern(5), pattern(second)];
        for (answer, expected) in answers.iter().zip(expected) {
            assert_eq!(answer.0, 200);
            assert!(answer.1 == expected);
        }
        client.get_tickets(&site);
    }
    assert!(log.take().iter().all(|ran| ran.confirmed || ran.method == "GET"));
}

fn answers_of_every_size() {
    let (site, client, log) = site();
    let sizes = SIZES
        .into_iter()
        .chain([20_000, 30_000, 40_000, 50_000, 60_000, 80_000]);
    for size in sizes {
        for close in [true, false] {
            let request = get(&format!("/answer/{size}"), close);
            let answer = exchange(&site, &client, request, 1);
            assert_eq!(answer[0].0, 200);
            assert!(answer[0].1 == pattern(size), "{size} bytes, close: {close}");
            client.get_tickets(&site);
        }
    }
    let early = log.take().iter().filter(|ran| !ran.confirmed).count();
    assert!(early >= 15, "it is early data that was answered: {early}");
}

fn a_handler_that_awaits_the_confirmation() {
    let (site, client, log) = site();
    for method in ["GET", "POST"] {
        let request = format!("{method} /confirmed HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let answer = exchange(&site, &client, request.into_bytes(), 1);
        assert_eq!(answer, [(200, b"confirmed".to_vec())], "{method}");
    }
    let ran = log.take();
    assert_eq!((ran[0].confirmed, ran[1].confirmed), (false, true));
}

/// It sends its request early, and its Finished long after the answer is on its way: the server has closed by then.
fn a_client_that_only_reads() {
    let (site, client, _) = site();
    for size in [20_000, 80_000] {
        let client = client.clone();
        site.client(async move {
            let mut stream = client.connect().await;
            let request = get(&format!("/answer/{size}"), true);
            stream.write_all(&request).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.ends_with(&pattern(size)), "{} bytes", answer.len());
        });
    }
}

/// A client that only ever makes early, closing requests would otherwise run out of tickets.
fn tickets_come_though_it_closes() {
    let (site, client, _) = site();
    for round in 0..10 {
        let client = client.clone();
        site.client(async move {
            let mut stream = client.connect().await;
            stream.write_all(&get("/answer/10", true)).await.unwrap();
            stream.flush().await.unwrap();
            assert!(stream.get_ref().1.is_early_data_accepted(), "round {round}");
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        });
    }
}
