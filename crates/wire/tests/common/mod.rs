pub(crate) mod script;
pub(crate) mod scripts;
pub(crate) mod wrap;
