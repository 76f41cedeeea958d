//! Prints the public items of a crate, a line each, from its documentation as JSON. For `.ci/api`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args_os().nth(1).ok_or("the path of the JSON is missing")?;
    let items = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    print!("{items}");
    Ok(())
}
