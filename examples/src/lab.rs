//! A client and a server on a path of the lab, with a runtime in each.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use fastopen::for_tokio::Peer;
use fastopen::{Connector, PathMemory};
use fastopen_lab::{Host, Lab, Scenario};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Longer than anything that works takes, on a busy machine too.
pub const LONG: Duration = Duration::from_secs(30);

/// A lab with runtimes. Dropping it ends whatever still runs.
pub struct Site {
    /// The network.
    pub lab: Lab,
    client: Runtime,
    server: Runtime,
}

impl Site {
    /// Builds that network.
    ///
    /// # Panics
    /// When there can be no lab.
    pub fn new(scenario: &Scenario) -> Self {
        let lab = Lab::new(scenario).expect("a lab can be built");
        let client = runtime_in(lab.client().expect("it has a client"));
        let server = runtime_in(lab.server().expect("it has a server"));
        Self { lab, client, server }
    }

    /// The server's address with that port.
    ///
    /// # Panics
    /// When the scenario has no server.
    pub fn address(&self, port: u16) -> SocketAddr {
        let server = self.lab.server().expect("it has a server");
        SocketAddr::new(server.ipv4().into(), port)
    }

    /// Runs it in the client to its end.
    ///
    /// # Panics
    /// When it does, or when it takes too long.
    pub fn client<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        run(&self.client, work)
    }

    /// Runs it in the server to its end: what makes a listener, for instance.
    ///
    /// # Panics
    /// When it does, or when it takes too long.
    pub fn server<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        run(&self.server, work)
    }

    /// Serves that on the server's port with axum, and says where.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn serve(&self, port: u16, app: Router) -> SocketAddr {
        let address = self.address(port);
        let listener = self.server(async move { fastopen::for_tokio::listen(address).await });
        let listener = listener.expect("the port is free");
        self.server.spawn(async move {
            axum::serve(listener, app.into_make_service_with_connect_info::<Peer>()).await
        });
        address
    }

    /// Leaves it running in the server.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.server.spawn(work);
    }
}

/// Longer than any number of losses in a row makes TCP wait: what takes so long hangs.
const FOR_EVER: Duration = Duration::from_secs(150);

fn run<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    let work = runtime.spawn(async move { timeout(FOR_EVER, work).await.expect("it hangs") });
    runtime.block_on(work).expect("it doesn't panic")
}

/// A connector that knows nothing of other paths of that address.
pub fn connector() -> Connector {
    Connector::new()
        .with_path_memory(PathMemory::default())
        .with_timeout(LONG)
}

fn runtime_in(host: &Host) -> Runtime {
    let host = host.clone();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(move || host.enter_thread().expect("the lab was entered"))
        .enable_all()
        .build()
        .expect("there can be threads")
}
