//! Programs that lose their privilege.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use crate::warning;

/// A setuid program that a user starts this way runs without its privilege: `no_new_privs`, without which only root may install a
/// filter.
pub(super) fn warn(program: &OsString) {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let Some(path) = find(program) else { return };
    let gains =
        fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o6000 != 0 && file.uid() == 0);
    let has_capabilities = rustix::fs::getxattr(&path, "security.capability", &mut [0_u8; 32]).is_ok();
    if gains || has_capabilities {
        let name = path.display();
        warning::print(format_args!(
            "{name} runs without its privilege here (no_new_privs); put tfo run inside: {name} tfo run -- …"
        ));
    }
}

fn find(program: &OsString) -> Option<PathBuf> {
    if program.to_string_lossy().contains('/') {
        return Some(PathBuf::from(program));
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
