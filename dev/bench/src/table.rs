//! What is printed in the end.

use std::fmt;

use crate::instructions::Count;
use crate::program::Sample;
use crate::protocol::Job;

/// One program's turns at one job.
pub struct Row {
    pub place: &'static str,
    pub job: Job,
    pub program: &'static str,
    pub samples: Vec<Sample>,
}

/// The middle of some numbers, and their ends.
pub struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub fn of(numbers: impl Iterator<Item = f64>) -> Option<Self> {
        let mut numbers: Vec<_> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let middle = numbers.len() / 2;
        let median = match numbers.len() % 2 {
            _ if numbers.is_empty() => return None,
            1 => numbers[middle],
            _ => f64::midpoint(numbers[middle - 1], numbers[middle]),
        };
        Some(Self {
            median,
            least: numbers[0],
            most: numbers[numbers.len() - 1],
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or_default();
        let (median, least, most) = (self.median, self.least, self.most);
        write!(f, "{median:.digits$} {least:.digits$}..{most:.digits$}")
    }
}

/// Prints everything.
pub fn print(rows: &[Row], counts: &[Count]) {
    println!(
        "4 KiB operations; median and least..most of the rounds; ratios: ours to it, round by round"
    );
    println!(
        "{:8} {:5} {:5} {:>5}  {:6} {:>26} {:>17} {:>7}  {:>16} {:>6}",
        "where",
        "api",
        "op",
        "depth",
        "program",
        "operations/s",
        "ratio",
        "target",
        "processor us/op",
        "ratio"
    );
    for row in rows {
        let words = row.job.to_string();
        let mut words = words.split(' ');
        let (api, direction) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        print!(
            "{:8} {api:5} {direction:5} {:>5}  {:6} ",
            row.place, row.job.depth, row.program
        );
        let rate = Spread::of(row.samples.iter().map(|sample| sample.rate));
        print!("{}", cell(rate, 26, 0));
        let ours = rows
            .iter()
            .find(|other| (other.place, other.job, other.program) == (row.place, row.job, "ours"));
        let pairs = |ours: &Row, of: fn(&Sample) -> Option<f64>| {
            let pairs = ours.samples.iter().zip(&row.samples);
            Spread::of(pairs.filter_map(|(ours, its)| Some(of(ours)? / of(its)?)))
        };
        let other = ours.filter(|_| row.program != "ours");
        let ratio = other.and_then(|ours| pairs(ours, |sample| Some(sample.rate)));
        let verdict = ratio
            .as_ref()
            .zip(target(row))
            .map(|(ratio, target)| verdict(ratio.median >= target));
        print!(" {} {:>7}", cell(ratio, 17, 2), verdict.unwrap_or(""));
        let micro = |sample: &Sample| sample.processor.map(|nanoseconds| nanoseconds / 1e3);
        print!(
            "  {}",
            cell(Spread::of(row.samples.iter().filter_map(micro)), 16, 2)
        );
        let ratio = other.and_then(|ours| pairs(ours, |sample| sample.processor));
        println!(
            " {:>6}",
            ratio.map_or(String::new(), |ratio| format!("{:.2}", ratio.median))
        );
    }
    if !counts.is_empty() {
        println!("\ninstructions an operation on the stub, the stub's included");
        println!(
            "{:5} {:5} {:>8} {:>8} {:>6} {:>7}",
            "api", "op", "C", "ours", "ratio", "target"
        );
    }
    for count in counts {
        let ratio = count.ours / count.c;
        let (api, direction) = (format!("{:?}", count.api), format!("{:?}", count.direction));
        println!(
            "{:5} {:5} {:8.0} {:8.0} {ratio:6.2} {:>7}",
            api.to_lowercase(),
            direction.to_lowercase(),
            count.c,
            count.ours,
            verdict(ratio <= 1.25)
        );
    }
}

/// The least ratio to a program's rate that is good enough.
fn target(row: &Row) -> Option<f64> {
    match (row.place, row.program, row.job.depth) {
        ("stub", ..) => Some(0.80),
        (_, "python", 64) => Some(1.3),
        (_, "python", _) => None,
        _ => Some(0.98),
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn cell(spread: Option<Spread>, width: usize, digits: usize) -> String {
    let text = spread.map_or(String::new(), |spread| format!("{spread:.digits$}"));
    format!("{text:>width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread =
            |numbers: &[f64]| Spread::of(numbers.iter().copied()).map(|it| format!("{it:.1}"));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]).unwrap(), "2.0 1.0..3.0");
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).unwrap(), "2.5 1.0..4.0");
    }
}
