//! Whether the columns of two tables go together, before they become numbers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use translearn_data::{Cells, DataError, Table};

/// Of many columns, so many are named.
const MOST_NAMED: usize = 5;

/// A table and the file it is from.
type Part<'a> = (&'a Table, &'a Path);

/// Refuses columns that only one file has or that are text in one and numbers in the other, and numbers that are infinite;
/// what is done to cells in silence otherwise, in sentences.
///
/// # Errors
/// [`DataError::Mismatch`], with what to do.
pub(super) fn compare(source: Part<'_>, target: Part<'_>) -> Result<Vec<String>, DataError> {
    let alone = |one: Part<'_>, other: Part<'_>| -> Vec<String> {
        let known: BTreeSet<&str> = names(other.0).collect();
        let alone = names(one.0).filter(|name| !known.contains(name));
        alone.map(|name| format!("`{name}`")).collect()
    };
    let (of_source, of_target) = (alone(source, target), alone(target, source));
    if let Some(first) = of_source.first().or(of_target.first()) {
        let has = |columns: &[String]| match columns {
            [] => "no column".to_owned(),
            [some @ .., last] if some.len() > MOST_NAMED => {
                let named = some[..MOST_NAMED].join(", ");
                format!("{named}, … and {last}")
            }
            few => few.join(", "),
        };
        return Err(mismatch(
            target.1,
            format!("the source alone has {}", has(&of_source)),
            format!("the target alone has {}", has(&of_target)),
            format!(
                "rename what is the same, and leave out what is not with `--drop {}`",
                first.trim_matches('`')
            ),
        ));
    }
    let mut notes = Vec::new();
    for column in &source.0.columns {
        let mut columns = target.0.columns.iter();
        let Some(twin) = columns.find(|other| other.name == column.name) else {
            continue;
        };
        if missing(&column.cells) == cells_len(&column.cells) {
            return Err(mismatch(
                source.1,
                format!("there is a column `{}`", column.name),
                "none of its cells has a value".to_owned(),
                format!("leave it out with `--drop {}`", column.name),
            ));
        }
        let both = [(source, &column.cells), (target, &twin.cells)];
        for (part, cells) in both {
            check_finite(part.1, &column.name, cells)?;
            notes.extend(filled(part.1, &column.name, cells));
        }
        notes.extend(compare_kinds(&column.name, both)?);
    }
    Ok(notes)
}

fn names(table: &Table) -> impl Iterator<Item = &str> {
    table.columns.iter().map(|column| column.name.as_str())
}

fn mismatch(path: &Path, left: String, right: String, advice: String) -> DataError {
    DataError::Mismatch {
        path: path.to_owned(),
        left,
        right,
        advice,
    }
}

fn check_finite(path: &Path, name: &str, cells: &Cells) -> Result<(), DataError> {
    let Cells::Numbers(numbers) = cells else {
        return Ok(());
    };
    match numbers.iter().position(|number| number.is_infinite()) {
        None => Ok(()),
        Some(row) => Err(mismatch(
            path,
            format!("column `{name}` holds numbers"),
            format!(
                "row {} (the header not counted) has {}",
                row + 1,
                numbers[row]
            ),
            "mend the cell or leave it empty".to_owned(),
        )),
    }
}

/// That cells without a value get one.
fn filled(path: &Path, name: &str, cells: &Cells) -> Option<String> {
    let with = match cells {
        Cells::Numbers(_) => "with the mean of the source",
        Cells::Categories(_) => "as a category of their own, where the source has such too",
    };
    let (missing, all) = (missing(cells), cells_len(cells));
    (missing > 0).then(|| {
        format!(
            "{missing} of the {all} cells of `{name}` in `{}` have no value and count {with}",
            path.display()
        )
    })
}

fn missing(cells: &Cells) -> usize {
    match cells {
        Cells::Numbers(numbers) => numbers.iter().filter(|number| number.is_nan()).count(),
        Cells::Categories(cells) => cells.iter().filter(|cell| cell.is_none()).count(),
    }
}

fn cells_len(cells: &Cells) -> usize {
    match cells {
        Cells::Numbers(numbers) => numbers.len(),
        Cells::Categories(cells) => cells.len(),
    }
}

/// Refuses words where the source has numbers, and numbers of which none is among the source's words; says what else is odd
/// about categories.
fn compare_kinds(name: &str, both: [(Part<'_>, &Cells); 2]) -> Result<Vec<String>, DataError> {
    let [(source, of_source), (target, of_target)] = both;
    let (from, to) = (source.1.display(), target.1.display());
    let refused = |numbers: Part<'_>, words: Part<'_>, (row, word): (usize, &str)| {
        mismatch(
            words.1,
            format!(
                "row {} (the header not counted) of `{name}` is `{}`",
                row + 1,
                shortened(word)
            ),
            format!("`{}` has numbers there", numbers.1.display()),
            format!("mend the cell, leave it empty, or leave the column out with `--drop {name}`"),
        )
    };
    let Cells::Categories(_) = of_source else {
        return match first_word(of_target) {
            Some(word) => Err(refused(source, target, word)),
            None => Ok(Vec::new()),
        };
    };
    let (unknown, filled) = (
        unknown(of_source, of_target),
        cells_len(of_target) - missing(of_target),
    );
    let mut notes = Vec::new();
    if let (Cells::Numbers(_), Some((row, word))) = (of_target, first_word(of_source)) {
        if unknown == filled && filled > 0 {
            return Err(refused(target, source, (row, word)));
        }
        notes.push(format!(
            "`{name}` counts as categories, for row {} of `{from}` is `{}`; `{to}` has numbers there",
            row + 1,
            shortened(word)
        ));
    }
    if unknown > 0 {
        notes.push(format!(
            "{unknown} of the {} cells of `{name}` in `{to}` have a value that no row of `{from}` has, and count as none of its categories",
            cells_len(of_target)
        ));
    }
    Ok(notes)
}

/// The cells of the target with a value that no cell of the source has.
fn unknown(of_source: &Cells, of_target: &Cells) -> usize {
    let known: BTreeSet<Cow<'_, str>> = values(of_source).collect();
    values(of_target)
        .filter(|value| !known.contains(value))
        .count()
}

/// The first cell that is no number, or else the first with a value, of a column of categories.
fn first_word(cells: &Cells) -> Option<(usize, &str)> {
    let Cells::Categories(cells) = cells else {
        return None;
    };
    let filled = || {
        let cells = cells.iter().enumerate();
        cells.filter_map(|(row, cell)| Some((row, cell.as_deref()?)))
    };
    let word = filled().find(|(_, word)| word.parse::<f64>().is_err());
    word.or_else(|| filled().next())
}

/// The values of the cells that have one, as names.
fn values(cells: &Cells) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
    match cells {
        Cells::Numbers(numbers) => {
            let present = numbers.iter().filter(|number| !number.is_nan());
            // Adding 0 turns -0 into 0.
            Box::new(present.map(|number| (number + 0.0).to_string().into()))
        }
        Cells::Categories(cells) => Box::new(cells.iter().flatten().map(Cow::from)),
    }
}

/// A cell for a message.
fn shortened(cell: &str) -> String {
    const MOST: usize = 40;
    match cell.char_indices().nth(MOST) {
        None => cell.to_owned(),
        Some((end, _)) => format!("{}…", &cell[..end]),
    }
}

#[cfg(test)]
mod tests {
    use translearn_data::Column;

    use super::*;

    fn table(columns: &[(&str, Cells)]) -> Table {
        let column = |(name, cells): &(&str, Cells)| Column {
            name: (*name).to_owned(),
            cells: cells.clone(),
        };
        Table {
            columns: columns.iter().map(column).collect(),
        }
    }

    fn words(words: &[&str]) -> Cells {
        let word = |word: &&str| (!word.is_empty()).then(|| (*word).to_owned());
        Cells::Categories(words.iter().map(word).collect())
    }

    fn numbers(numbers: &[f64]) -> Cells {
        Cells::Numbers(numbers.to_vec())
    }

    fn compared(source: &[(&str, Cells)], target: &[(&str, Cells)]) -> Result<String, String> {
        let (source, target) = (table(source), table(target));
        let found = compare(
            (&source, Path::new("old.csv")),
            (&target, Path::new("new.csv")),
        );
        found
            .map(|notes| notes.join("\n"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn columns_that_do_not_go_together_are_refused() {
        let n = || numbers(&[1.0, 2.0]);
        let empty = || numbers(&[f64::NAN]);
        for (source, target, why) in [
            (vec![("a", empty())], vec![("a", n())], "none of its cells"),
            (
                vec![("a", n()), ("b", n())],
                vec![("a", n())],
                "the source alone has `b` but the target alone has no column",
            ),
            (
                vec![("a", n())],
                vec![("a", n()), ("b", n())],
                "the source alone has no column but the target alone has `b`",
            ),
            (vec![("a", n())], vec![("a", words(&["1", "x"]))], "row 2"),
            (
                vec![("a", words(&["x", "y"]))],
                vec![("a", n())],
                "`old.csv`: row 1",
            ),
            (
                vec![("a", n())],
                vec![("a", numbers(&[f64::INFINITY]))],
                "has inf",
            ),
            (
                vec![("a", numbers(&[0.0, -f64::INFINITY]))],
                vec![("a", n())],
                "row 2",
            ),
        ] {
            let error = compared(&source, &target).unwrap_err();
            assert!(error.contains(why), "{error} does not say {why}");
        }
    }

    #[test]
    fn what_is_done_to_cells_is_said() {
        let n = || numbers(&[1.0, f64::NAN]);
        let said = compared(&[("a", n())], &[("a", numbers(&[3.0]))]).unwrap();
        assert!(
            said.starts_with("1 of the 2 cells of `a` in `old.csv`"),
            "{said}"
        );
        let colours = |of: &[&str]| [("a", words(of))];
        // Cells that are all empty are no words, and what is alike needs no word.
        assert!(compared(&[("a", numbers(&[1.0]))], &colours(&["", ""])).is_ok());
        assert_eq!(
            compared(&colours(&["red", "blue"]), &colours(&["red", "red"])).unwrap(),
            ""
        );
    }

    #[test]
    fn cells_with_a_value_the_source_lacks_are_counted() {
        let source = [("a", words(&["red", "red", "blue"]))];
        let said = |target: Cells| compared(&source, &[("a", target)]).unwrap();
        let mut target = vec!["green"; 99];
        target.push("red");
        assert_eq!(
            said(words(&target)),
            "99 of the 100 cells of `a` in `new.csv` have a value that no row of `old.csv` has, and count as none of its categories"
        );
        let alone = said(words(&["green", "Red"]));
        assert!(alone.starts_with("2 of the 2 cells of `a`"), "{alone}");
        // A cell without a value is not one with another.
        let gap = said(words(&["green", "", "blue"]));
        let notes: Vec<&str> = gap.lines().collect();
        assert!(
            notes[0].starts_with("1 of the 3 cells") && notes[0].contains("no value"),
            "{gap}"
        );
        assert!(
            notes[1].starts_with("1 of the 3 cells") && notes[1].contains("no row"),
            "{gap}"
        );
    }

    #[test]
    fn numbers_are_counted_among_words_by_their_names() {
        let source = [("a", words(&["1", "0", "x"]))];
        let said = |target: &[f64]| compared(&source, &[("a", numbers(target))]).unwrap();
        let known = said(&[1.0, -0.0]);
        assert!(
            known.contains("row 3 of `old.csv` is `x`") && !known.contains('\n'),
            "{known}"
        );
        let some = said(&[1.0, 2.0, 0.5, 2.0]);
        let last = some.lines().last().unwrap();
        assert!(
            last.starts_with("3 of the 4 cells of `a` in `new.csv` have a value"),
            "{some}"
        );
    }
}
