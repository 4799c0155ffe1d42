//! One table of LMS rows by age or by length, for boys and girls.
//!
//! It must not compute z-scores nor fill gaps: a table with a missing row is refused.

use super::Sex;
use super::lms::Lms;

/// A table without gaps.
#[derive(Debug)]
pub struct Table {
    first: i64,
    male: Vec<Lms>,
    female: Vec<Lms>,
}

/// Why a table is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TableError {
    /// A line is not `sex,place,l,m,s`.
    #[error("line {0} is no row of a table")]
    Line(usize),
    /// A row is missing or stands in the wrong place.
    #[error("line {0} does not follow the one before")]
    Gap(usize),
    /// Boys and girls are not told for the same places.
    #[error("the rows of boys and girls differ")]
    Uneven,
}

impl Table {
    /// Reads `sex,place,l,m,s` under a header; `per_unit` rows stand to a unit of the place.
    ///
    /// # Errors
    /// [`TableError`] names the line.
    pub fn parse(text: &str, per_unit: f64) -> Result<Self, TableError> {
        let (mut male, mut female) = (Rows::default(), Rows::default());
        for (number, line) in (1..).zip(text.lines()).skip(1) {
            let (sex, step, lms) = row(line, per_unit).ok_or(TableError::Line(number))?;
            let rows = if sex == Sex::Male { &mut male } else { &mut female };
            rows.push(step, lms).ok_or(TableError::Gap(number))?;
        }
        match (male, female) {
            (male, female) if male.first != female.first || male.rows.len() != female.rows.len() => {
                Err(TableError::Uneven)
            }
            (Rows { first: Some(first), rows: male }, Rows { rows: female, .. }) => Ok(Self { first, male, female }),
            _ => Err(TableError::Uneven),
        }
    }

    /// The row at a step, or between it and the next one; `None` outside the table.
    #[must_use]
    pub fn at(&self, sex: Sex, step: i64, fraction: f64) -> Option<Lms> {
        let rows = if sex == Sex::Male { &self.male } else { &self.female };
        let at = usize::try_from(step - self.first).ok()?;
        let row = *rows.get(at)?;
        if fraction == 0.0 { Some(row) } else { Some(row.towards(*rows.get(at + 1)?, fraction)) }
    }

    /// First and last step.
    #[must_use]
    pub fn ends(&self) -> (i64, i64) {
        let count = i64::try_from(self.male.len()).unwrap_or(i64::MAX);
        (self.first, self.first + count - 1)
    }
}

#[derive(Default)]
struct Rows {
    first: Option<i64>,
    rows: Vec<Lms>,
}

impl Rows {
    fn push(&mut self, step: i64, lms: Lms) -> Option<()> {
        let first = *self.first.get_or_insert(step);
        let expected = first + i64::try_from(self.rows.len()).ok()?;
        (step == expected).then(|| self.rows.push(lms))
    }
}

fn row(line: &str, per_unit: f64) -> Option<(Sex, i64, Lms)> {
    let mut cells = line.split(',');
    let sex = Sex::from_letter(cells.next()?)?;
    let mut number = || cells.next()?.parse::<f64>().ok().filter(|number| number.is_finite());
    let (place, l, m, s) = (number()?, number()?, number()?, number()?);
    let usable = cells.next().is_none() && m > 0.0 && s > 0.0 && (0.0..10_000.0).contains(&place);
    #[expect(clippy::cast_possible_truncation, reason = "a place in a table is far below 2^53")]
    usable.then(|| (sex, (place * per_unit).round() as i64, Lms { l, m, s }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_table_is_refused() {
        let read = |text: &str| Table::parse(text, 10.0).map(|table| table.ends());
        assert_eq!(read("sex,cm,l,m,s\nL,45,1,2,0.1\nL,45.1,1,2,0.1\nP,45,1,2,0.1\nP,45.1,1,2,0.1"), Ok((450, 451)));
        assert_eq!(read("sex,cm,l,m,s\nL,45,1,2,0.1\nL,45.2,1,2,0.1"), Err(TableError::Gap(3)));
        assert_eq!(read("sex,cm,l,m,s\nL,45,1,2"), Err(TableError::Line(2)));
        assert_eq!(read("sex,cm,l,m,s\nL,45,1,2,0.1"), Err(TableError::Uneven));
        assert_eq!(read("sex,cm,l,m,s"), Err(TableError::Uneven));
    }
}
