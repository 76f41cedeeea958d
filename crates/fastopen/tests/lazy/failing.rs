//! Connections that can't be made.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use fastopen::ConnectError;
use fastopen::for_tokio::LazyStream;
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Rule, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Path, connector};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "failing::a_closed_port_is_refused_once",
            a_closed_port_is_refused_once,
        ),
        test("failing::nobody_answers", nobody_answers),
        test("failing::an_unknown_name", an_unknown_name),
    ]
    .into_iter()
}

fn a_closed_port_is_refused_once() {
    let path = Path::new(&Scenario::new("clean"));
    let mut closed = path.address;
    closed.set_port(81);
    path.run(async move {
        for reads_first in [false, true] {
            let mut stream = LazyStream::replay_safe(connector(), closed);
            let error = match reads_first {
                false => stream.write(b"GET /").await.unwrap_err(),
                true => stream.read_u8().await.unwrap_err(),
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let inside = error
                .get_ref()
                .and_then(|error| error.downcast_ref::<ConnectError>());
            assert_eq!(inside.unwrap().attempts()[0].address, closed);
            for error in [
                stream.write(b"GET /").await.unwrap_err(),
                stream.read_u8().await.unwrap_err(),
                stream.flush().await.unwrap_err(),
                stream.shutdown().await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::NotConnected);
                assert!(error.to_string().contains("192.0.2.2:81"), "{error}");
            }
            assert!(stream.into_tcp_stream().await.is_err());
        }
    });
}

fn nobody_answers() {
    let path = Path::new(&Scenario::new("clean"));
    path.lab.set_rules([Rule::drop().to("server")]).unwrap();
    let connector = connector().with_timeout(Duration::from_millis(400));
    let mut stream = LazyStream::replay_safe(connector, path.address);
    let error = path.run(async move { stream.write(b"GET /").await.unwrap_err() });
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.source().is_none_or(<dyn Error>::is::<ConnectError>));
}

fn an_unknown_name() {
    let path = Path::new(&Scenario::new("clean"));
    let mut stream = LazyStream::replay_safe(connector(), "no port".to_owned());
    let error = path.run(async move { stream.write(b"GET /").await.unwrap_err() });
    assert!(error.to_string().contains("could not be resolved"), "{error}");
}
