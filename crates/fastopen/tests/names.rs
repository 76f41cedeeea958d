//! What a glob import brings into scope.

/// `use fastopen::*` shadows no crate that its users also use.
#[test]
fn a_glob_import_shadows_no_crate() {
    #[allow(unused_imports, reason = "it is the import that could shadow something")]
    use fastopen::*;

    let runtime = tokio::runtime::Builder::new_current_thread().build();
    assert!(runtime.is_ok());
    let _: libc::c_int = 0;
    let _ = std::any::type_name::<socket2::Socket>();
    #[cfg(feature = "hyper")]
    let _ = std::any::type_name::<http::Uri>();
    #[cfg(feature = "rustls")]
    let _ = std::any::type_name::<rustls::ClientConfig>();
    #[cfg(feature = "axum")]
    let _ = std::any::type_name::<axum::Router>();
}
