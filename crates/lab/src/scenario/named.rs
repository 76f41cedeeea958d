//! The scenarios that come with the lab: one for each kind of path that Fast Open meets.

use super::Scenario;

macro_rules! scenarios {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*]
    };
}

/// From a clean path to the unusual ones.
const FILES: &[(&str, &str)] = scenarios! {
    "clean"
    "option-stripped"
    "option-dropped"
    "data-dropped"
    "reset"
    "cookie-refused"
    "cookie-swapped"
    "syn-proxy"
    "replay"
    "held-ack"
    "narrow-hop"
    "rebind"
    "blackhole"
    "loss"
    "duplicate"
    "unreachable"
    "farm"
};

impl Scenario {
    /// A scenario that comes with the lab, such as `option-stripped`; `None` when there is none of that name.
    ///
    /// ```
    /// use fastopen_lab::Scenario;
    ///
    /// assert_eq!(Scenario::named("clean").unwrap().rules, []);
    /// assert_eq!(Scenario::named("spotless"), None);
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|scenario| scenario.name == name)
    }

    /// All scenarios that come with the lab, from a clean path to the unusual ones.
    pub fn all() -> impl Iterator<Item = Self> {
        FILES.iter().map(|(name, text)| {
            text.parse()
                .unwrap_or_else(|error| unreachable!("scenarios/{name}.toml: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_named_after_its_scenario_and_says_what_it_is_about() {
        for ((name, _), scenario) in FILES.iter().zip(Scenario::all()) {
            assert_eq!(scenario.name, *name);
            assert!(scenario.about.ends_with('.'), "{name}: {:?}", scenario.about);
        }
    }

    #[test]
    fn each_comes_back_from_its_own_text() {
        for scenario in Scenario::all() {
            assert_eq!(scenario.to_toml().parse::<Scenario>().unwrap(), scenario);
        }
    }

    #[test]
    fn no_connection_completes_in_two_of_them() {
        let cut_off = Scenario::all().filter(|scenario| !scenario.lets_connections_complete());
        let names: Vec<String> = cut_off.map(|scenario| scenario.name).collect();
        assert_eq!(names, ["blackhole", "unreachable"]);
    }

    #[test]
    fn no_file_is_forgotten() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap();
        assert_eq!(files.count(), FILES.len());
    }
}
