//! `tfo bench`: how much does Fast Open save on a path?
//!
//! `measure` makes the connections, `report` has what they say, with the numbers from [`crate::stats`], and `reliability` counts what
//! went wrong; `text`, `svg` and JSON draw it.

mod histogram;
mod measure;
mod pair;
mod range;
mod reliability;
mod report;
mod svg;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use crate::interrupt::Interrupt;
use crate::output::{self, Access, OutputFile};
use crate::status::Status;
use crate::timed::{FirstBytesArgs, Target};
use crate::{json, stdout, units, values, warning};

/// Measure how much sooner answers come with Fast Open
///
/// It makes pairs of connections to one address, a plain one and a fast one in random order, and takes the time to the first
/// byte of the answer: what disturbs the path disturbs both. The first address that answers is measured, after a few connections that
/// don't count. Where the interval includes no difference, that is the answer. Connections that fail or lose their SYN are counted on
/// both sides: where Fast Open fails more often, it is not said to be sooner, however fast the others are.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// What to measure: host, host:443, [2001:db8::2]:443 or a URL
    #[arg(value_name = "TARGET", value_parser = text_of_target)]
    target: String,
    /// How many pairs
    #[arg(short = 'n', long, value_name = "N", default_value = "50", value_parser = values::number::<u32>(1..=1_000_000))]
    pairs: u32,
    #[command(flatten)]
    first_bytes: FirstBytesArgs,
    /// How long connecting may take, and then the silence before the answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::parse_time)]
    timeout: Duration,
    /// The seed of the random numbers: the order within pairs, and the samples behind the interval
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::number::<u64>(0..=u64::MAX))]
    seed: u64,
    /// Draw a plot of it (SVG)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print one JSON object with every sample (described by schemas/bench.json)
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  tfo bench https://example.com/         Fifty pairs with a TLS ClientHello
  tfo bench -n 200 --svg saving.svg 192.0.2.2:80
                                         More pairs, and a picture of them
  tfo bench --json redis.example.com:6379 | jq .ratio
                                         With a Redis PING, for a program

Exit status:
  0  answers come sooner with Fast Open
  1  they come later, fast connections fail or lose their SYN more often than plain ones, none was accepted, or there is no connection
  2  wrong usage, or a name without an address: the error says what to do
  3  no difference is seen, too few pairs were measured, or fast connections may fail more often";

/// Measures, and prints the report.
///
/// # Errors
/// Wrong usage, a name that can't be resolved, a plot that can't be written, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    json::failure_too(args.json, measure_and_print(args))
}

fn measure_and_print(args: &Args) -> anyhow::Result<Status> {
    let first_bytes = args.first_bytes.read()?;
    let target: Target = args.target.parse()?;
    output::refuse_same([], args.svg.as_deref())?;
    let plot = args
        .svg
        .as_deref()
        .map(|path| OutputFile::open(path, Access::Anybody))
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        let mut interrupt = Interrupt::new()?;
        measure::measure(args, &target, &first_bytes, &mut interrupt).await
    });
    runtime.shutdown_background();
    let report = report?;
    let mut out = stdout::lock();
    match args.json {
        true => json::line(&mut out, &report)?,
        false => text::print(&mut out, &report, crate::width::of_stdout())?,
    }
    drop(out);
    match plot {
        Some(plot) if report.complete > 0 => plot.write_all(svg::draw(&report).as_bytes())?,
        // An empty plot must not replace an earlier one.
        Some(_) => warning::print(format_args!("no plot was written, since nothing was measured")),
        None => {}
    }
    Ok(report.status())
}

fn text_of_target(text: &str) -> Result<String, String> {
    match text.parse::<Target>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
