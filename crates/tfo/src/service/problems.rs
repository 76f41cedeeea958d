//! What is wrong, told once for as long as it is so.

use std::collections::BTreeSet;

use crate::warning;

/// The problems that were told and still are there.
#[derive(Debug, Default)]
pub(crate) struct Problems(BTreeSet<String>);

impl Problems {
    /// Prints those of the current problems that are new.
    pub(crate) fn tell(&mut self, current: Vec<String>) {
        for problem in self.take_new(current) {
            warning::print(format_args!("{problem}"));
        }
    }

    fn take_new(&mut self, current: Vec<String>) -> Vec<String> {
        let current: BTreeSet<String> = current.into_iter().collect();
        let new = current.difference(&self.0).cloned().collect();
        self.0 = current;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_new_once_and_again_when_it_comes_back() {
        let mut problems = Problems::default();
        let mut new = |current: &[&str]| problems.take_new(current.iter().map(ToString::to_string).collect());
        assert_eq!(new(&["a", "b"]), ["a", "b"]);
        assert_eq!(new(&["b", "c"]), ["c"]);
        assert_eq!(new(&["a"]), ["a"]);
    }
}
