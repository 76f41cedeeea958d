//! Metrics in a file for node_exporter's textfile collector.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file that the collector reads, as `--textfile` names it.
///
/// # Errors
/// It would be ignored.
pub(crate) fn parse(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    match path.extension().is_some_and(|extension| extension == "prom") {
        true => Ok(path.to_owned()),
        false => Err("node_exporter reads only files whose names end in .prom, such as tfo.prom".to_owned()),
    }
}

/// The file, and what it holds.
#[derive(Debug)]
pub(crate) struct TextFile {
    path: PathBuf,
    written: String,
}

impl TextFile {
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            written: String::new(),
        }
    }

    /// Replaces the file at once, so that nobody reads half of it, unless it holds this page already. The error says what failed.
    pub(crate) fn write(&mut self, page: String) -> Result<(), String> {
        if page == self.written {
            return Ok(());
        }
        self.replace(&page)
            .map_err(|error| format!("can't write {}: {error}", self.path.display()))?;
        self.written = page;
        Ok(())
    }

    fn replace(&self, page: &str) -> io::Result<()> {
        let mut temporary = self.path.as_os_str().to_owned();
        // The collector reads what ends in .prom.
        temporary.push(".new");
        fs::write(&temporary, page)?;
        fs::rename(&temporary, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_collector_would_ignore_is_refused() {
        assert_eq!(parse("/run/tfo/tfo.prom"), Ok("/run/tfo/tfo.prom".into()));
        for text in ["x.txt", "tfo", ".prom", "tfo.prom.new", "/run/prom/", "-"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_is_written_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tfo.prom");
        let mut file = TextFile::at(&path);
        file.write("a 1\n".to_owned()).unwrap();
        fs::remove_file(&path).unwrap();
        file.write("a 1\n".to_owned()).unwrap();
        assert!(!path.exists(), "nothing has changed");
        file.write("a 2\n".to_owned()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a 2\n");
        drop(folder);
        let error = file.write("a 3\n".to_owned()).unwrap_err();
        assert!(error.starts_with("can't write /"), "{error}");
    }
}
