//! Names of nodes in a scenario: patterns, and the nodes they mean.

use nunect_core::UnitId;

use super::error::did_you_mean;
use super::file::Names;

/// Why names mean nothing: at which of them, why, and what may have been meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) position: usize,
    pub(crate) reason: String,
    pub(crate) help: String,
}

/// The places in `units` that `names` mean, in order. Names that are all `not …` begin with all.
///
/// # Errors
/// When a name means no node, or nothing is left.
pub(crate) fn resolve(names: &Names, units: &[UnitId]) -> Result<Vec<u32>, Unknown> {
    let (mut included, mut excluded) = (vec![false; units.len()], vec![false; units.len()]);
    let mut all = !names.0.is_empty();
    for (position, name) in names.0.iter().enumerate() {
        let (pattern, list) = match name.strip_prefix("not ") {
            Some(pattern) => (pattern.trim(), &mut excluded),
            None => {
                all = false;
                (name.as_str(), &mut included)
            }
        };
        let meant = meant(pattern, units).map_err(|(reason, help)| Unknown { position, reason, help })?;
        meant.into_iter().for_each(|unit| list[unit] = true);
    }
    let chosen = included.into_iter().zip(excluded).map(|(included, excluded)| (included || all) && !excluded);
    let chosen: Vec<u32> = (0..).zip(chosen).filter(|&(_, chosen)| chosen).map(|(unit, _)| unit).collect();
    if chosen.is_empty() {
        return Err(Unknown { position: 0, reason: "this leaves no node".to_owned(), help: String::new() });
    }
    Ok(chosen)
}

/// The shortest names for nodes, given in order and not none: runs of three and more become ranges.
pub(crate) fn compress(nodes: &[u32], units: &[UnitId]) -> Names {
    let name = |node: u32| usize::try_from(node).ok().and_then(|node| units.get(node)).map_or("", UnitId::as_str);
    let runs = nodes.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    let words = runs.flat_map(|run| match run {
        [first, _, .., last] => vec![format!("{}..{}", name(*first), name(*last))],
        few => few.iter().map(|&node| name(node).to_owned()).collect(),
    });
    Names(words.collect())
}

fn meant(pattern: &str, units: &[UnitId]) -> Result<Vec<usize>, (String, String)> {
    let unknown = |name: &str| {
        let help = did_you_mean(name, units.iter().map(UnitId::as_str));
        (format!("no node is called `{name}`"), help)
    };
    let find = |name: &str| units.iter().position(|unit| unit.as_str() == name).ok_or_else(|| unknown(name));
    if let Some((first, last)) = pattern.split_once("..") {
        let (first, last) = (find(first.trim())?, find(last.trim())?);
        if first > last {
            return Err((format!("`{pattern}` runs backwards"), "write the first node first".to_owned()));
        }
        return Ok((first..=last).collect());
    }
    if !pattern.contains('*') {
        return find(pattern).map(|unit| vec![unit]);
    }
    let matching: Vec<_> = (0..units.len()).filter(|&unit| matches(pattern, units[unit].as_str())).collect();
    if matching.is_empty() { Err((format!("no node matches `{pattern}`"), String::new())) } else { Ok(matching) }
}

/// Whether `text` is `pattern` with any characters in place of each `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units() -> Vec<UnitId> {
        ["hub0", "hub1", "n00", "n01", "n02"].map(|unit| unit.parse().expect("legal")).to_vec()
    }

    fn of(names: &[&str]) -> Result<Vec<u32>, Unknown> {
        resolve(&Names(names.iter().map(ToString::to_string).collect()), &units())
    }

    #[test]
    fn a_pattern_is_a_name_a_glob_a_range_or_what_is_left_out() {
        assert_eq!(of(&["n01"]), Ok(vec![3]));
        assert_eq!(of(&["hub*"]), Ok(vec![0, 1]));
        assert_eq!(of(&["*0*"]), Ok(vec![0, 2, 3, 4]));
        assert_eq!(of(&["h*1", "n00"]), Ok(vec![1, 2]));
        assert_eq!(of(&["hub1..n01"]), Ok(vec![1, 2, 3]));
        assert_eq!(of(&["not n*"]), Ok(vec![0, 1]));
        assert_eq!(of(&["n*", "not n01"]), Ok(vec![2, 4]));
        assert_eq!(of(&["not n01", "n*"]), Ok(vec![2, 4]));
    }

    #[test]
    fn a_name_without_a_node_is_an_error_that_knows_a_better_one() {
        let error = of(&["hub0", "n10"]).expect_err("no such node");
        assert_eq!((error.position, error.reason.as_str()), (1, "no node is called `n10`"));
        assert!(error.help.contains("`n00`"), "{error:?}");
        assert!(of(&["m*"]).expect_err("none matches").reason.contains("`m*`"));
        assert!(of(&["n02..n00"]).expect_err("backwards").reason.contains("backwards"));
        assert!(of(&["hub0", "not hub*"]).expect_err("none left").reason.contains("no node"));
        assert!(of(&[]).is_err());
    }

    #[test]
    fn compressed_names_mean_the_nodes_that_they_came_from() {
        for (nodes, words) in [(vec![0, 1], "hub0, hub1"), (vec![0, 2, 3, 4], "hub0, n00..n02"), (vec![3], "n01")] {
            let names = compress(&nodes, &units());
            assert_eq!((names.to_string().as_str(), resolve(&names, &units())), (words, Ok(nodes)));
        }
    }

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_does() {
        assert!(matches("*", "") && matches("a*", "a") && matches("a*b*c", "a1b2b3c") && matches("*a", "ba"));
        assert!(!matches("a*b", "a") && !matches("a*a", "a") && !matches("*x*", "abc") && !matches("a*", "ba"));
    }
}
