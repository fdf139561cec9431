//! Matrices: class, dimensions, name, then what the class asks for.

use sprs::CompressedStorage;

use super::element::{Input, Kind};
use crate::DataError;
use crate::read::array::{ElementType, Layout, NumericArray, Storage, count, show_shape};
use crate::read::bytes::Budget;
use crate::read::sparse::Compressed;
use crate::read::variables::Value;

/// Cells within cells beyond this depth are refused.
const MAX_DEPTH: usize = 32;

/// Memory of one value of a cell or struct array, however empty.
const VALUE_BYTES: u64 = 128;

pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: Value,
}

/// A top-level matrix.
pub(super) fn variable(input: Input<'_>, budget: &mut Budget<'_>) -> Result<Variable, DataError> {
    matrix(input, budget, 0)
}

fn matrix(
    mut input: Input<'_>,
    budget: &mut Budget<'_>,
    depth: usize,
) -> Result<Variable, DataError> {
    if depth > MAX_DEPTH {
        return Err(input.fail(format!("cells nested at most {MAX_DEPTH} deep"), "more"));
    }
    budget.spend(VALUE_BYTES, "the number of cells")?;
    let start = input;
    let flags = input.integers("array flags")?;
    let &[flags, _] = flags.as_slice() else {
        return Err(start.fail(
            "array flags of 2 integers",
            format!("{} integers", flags.len()),
        ));
    };
    let (class, complex) = (flags & 0xff, flags & 0x0800 != 0);
    if class == 17 {
        // An object has no dimensions here.
        return Ok(Variable {
            name: input.name("the name")?,
            value: Value::Other("an object".to_owned()),
        });
    }
    let shape = shape(&mut input)?;
    let name = input.name("the name")?;
    let value = match class {
        1 => Value::Cell {
            cells: values(&mut input, count(&shape), budget, depth)?,
            shape,
        },
        2 => structure(&mut input, shape, budget, depth)?,
        3 => Value::Other("an object".to_owned()),
        4 => text(&mut input, &shape)?,
        5..=15 if complex => Value::Other(format!("{} complex numbers", show_shape(&shape))),
        5 => sparse(&mut input, &shape, &name)?,
        6..=15 => numbers(&mut input, shape, &name)?,
        16 => Value::Other("a function handle".to_owned()),
        other => return Err(start.fail("an array class of 1 to 17", other.to_string())),
    };
    Ok(Variable { name, value })
}

fn shape(input: &mut Input<'_>) -> Result<Vec<usize>, DataError> {
    let before = *input;
    let axes = input.integers("dimensions")?;
    if axes.len() < 2 {
        return Err(before.fail("at least 2 dimensions", axes.len().to_string()));
    }
    axes.iter()
        .map(|&axis| {
            i32::try_from(axis)
                .ok()
                .and_then(|axis| usize::try_from(axis).ok())
        })
        .collect::<Option<_>>()
        .ok_or_else(|| before.fail("dimensions below 2^31", format!("{axes:?}")))
}

fn numbers(input: &mut Input<'_>, shape: Vec<usize>, name: &str) -> Result<Value, DataError> {
    let before = *input;
    let element = input.element()?;
    let Kind::Number(kind) = element.kind else {
        return Err(before.fail("numbers", format!("{:?}", element.kind)));
    };
    let bytes = element.content.rest();
    if count(&shape).and_then(|n| n.checked_mul(kind.size())) != Some(bytes.len()) {
        return Err(before.fail(
            format!(
                "{} numbers for `{name}`, {} bytes each",
                show_shape(&shape),
                kind.size()
            ),
            format!("{} bytes", bytes.len()),
        ));
    }
    let storage = Storage {
        element: kind,
        order: input.order,
        layout: Layout::ColumnMajor,
    };
    NumericArray::new(input.path(), name, shape, storage, bytes.to_vec()).map(Value::Numeric)
}

fn sparse(input: &mut Input<'_>, shape: &[usize], name: &str) -> Result<Value, DataError> {
    let before = *input;
    let &[rows, columns] = shape else {
        return Err(before.fail("a sparse matrix of 2 dimensions", shape.len().to_string()));
    };
    let indices = input.integers("row indices")?;
    let starts = input.integers("column starts")?;
    let values = match input.element()? {
        element if matches!(element.kind, Kind::Number(_)) => {
            vector(&element.content, element.kind, input, name)?
        }
        element => {
            return Err(element
                .content
                .fail("numbers", format!("{:?}", element.kind)));
        }
    };
    let widen = |words: Vec<u32>| words.into_iter().map(|word| word as usize).collect();
    let storage = CompressedStorage::CSC;
    Compressed {
        storage,
        shape: (rows, columns),
        starts: widen(starts),
        indices: widen(indices),
        values,
    }
    .check(input.path(), "MAT v5", name)
    .map(Value::Sparse)
}

/// A run of numbers of whatever length it has.
fn vector(
    content: &Input<'_>,
    kind: Kind,
    input: &Input<'_>,
    name: &str,
) -> Result<Vec<f64>, DataError> {
    let Kind::Number(element) = kind else {
        return Ok(Vec::new());
    };
    let bytes = content.rest();
    let storage = Storage {
        element,
        order: input.order,
        layout: Layout::ColumnMajor,
    };
    let shape = vec![bytes.len() / element.size()];
    Ok(
        NumericArray::new(input.path(), name, shape, storage, bytes.to_vec())?
            .values()
            .collect(),
    )
}

/// The matrices of a cell or struct array.
fn values(
    input: &mut Input<'_>,
    n: Option<usize>,
    budget: &mut Budget<'_>,
    depth: usize,
) -> Result<Vec<Value>, DataError> {
    // Each takes at least a tag.
    let room = input.rest().len() / 8;
    let n = n.filter(|&n| n <= room).ok_or_else(|| {
        let asked = n.map_or_else(
            || "more cells than can be counted".to_owned(),
            |n| format!("{n} cells"),
        );
        input.fail(asked, format!("room for {room}"))
    })?;
    let mut values = Vec::new();
    for _ in 0..n {
        let before = *input;
        let element = input.element()?;
        values.push(match element.kind {
            Kind::Matrix if element.content.is_at_end() => {
                budget.spend(VALUE_BYTES, "the number of cells")?;
                empty(input)?
            }
            Kind::Matrix => matrix(element.content, budget, depth + 1)?.value,
            kind => return Err(before.fail("a matrix", format!("{kind:?}"))),
        });
    }
    Ok(values)
}

/// A cell nothing was ever put into.
fn empty(input: &Input<'_>) -> Result<Value, DataError> {
    let storage = Storage {
        element: ElementType::F64,
        order: input.order,
        layout: Layout::ColumnMajor,
    };
    NumericArray::new(input.path(), "", vec![0, 0], storage, Vec::new()).map(Value::Numeric)
}

fn structure(
    input: &mut Input<'_>,
    shape: Vec<usize>,
    budget: &mut Budget<'_>,
    depth: usize,
) -> Result<Value, DataError> {
    let before = *input;
    let lengths = input.integers("the length of field names")?;
    let &[length] = lengths.as_slice() else {
        return Err(before.fail(
            "one length of field names",
            format!("{} integers", lengths.len()),
        ));
    };
    let before = *input;
    let names = input.element()?;
    let bytes = names.content.rest();
    let names: Vec<String> = match bytes.len().checked_rem(length as usize) {
        _ if bytes.is_empty() => Vec::new(),
        Some(0) => bytes
            .chunks_exact(length as usize)
            .map(|name| {
                let end = name
                    .iter()
                    .position(|&byte| byte == 0)
                    .unwrap_or(name.len());
                String::from_utf8_lossy(&name[..end]).into_owned()
            })
            .collect(),
        _ => {
            return Err(before.fail(
                format!("field names of {length} bytes"),
                format!("{} bytes", bytes.len()),
            ));
        }
    };
    let n = count(&shape).and_then(|n| n.checked_mul(names.len()));
    let mut fields: Vec<(String, Vec<Value>)> =
        names.into_iter().map(|name| (name, Vec::new())).collect();
    let n_fields = fields.len().max(1);
    for (at, value) in values(input, n, budget, depth)?.into_iter().enumerate() {
        fields[at % n_fields].1.push(value);
    }
    Ok(Value::Struct { shape, fields })
}

/// The rows of a character matrix, trailing blanks kept.
fn text(input: &mut Input<'_>, shape: &[usize]) -> Result<Value, DataError> {
    let before = *input;
    let element = input.element()?;
    let bytes = element.content.rest();
    let units: Vec<u32> = match element.kind {
        Kind::Utf8 => std::str::from_utf8(bytes)
            .map_err(|error| before.fail("UTF-8 text", error.to_string()))?
            .chars()
            .map(u32::from)
            .collect(),
        // Plain bytes are Latin-1; 16-bit units are UTF-16.
        kind => {
            let (size, kind) = match kind {
                Kind::Number(ElementType::I8 | ElementType::U8) => (1, ElementType::U8),
                Kind::Utf16 | Kind::Number(ElementType::U16) => (2, ElementType::U16),
                Kind::Utf32 | Kind::Number(ElementType::U32) => (4, ElementType::U32),
                other => return Err(before.fail("characters", format!("{other:?}"))),
            };
            let storage = Storage {
                element: kind,
                order: input.order,
                layout: Layout::ColumnMajor,
            };
            let shape = vec![bytes.len() / size];
            let units = NumericArray::new(input.path(), "", shape, storage, bytes.to_vec())?;
            units.values().map(|unit| unit as u32).collect()
        }
    };
    if count(shape) != Some(units.len()) {
        return Err(before.fail(
            format!("{} characters", show_shape(shape)),
            units.len().to_string(),
        ));
    }
    let rows = if units.is_empty() { 0 } else { shape[0] };
    let text = (0..rows).map(|row| {
        let row: Vec<u32> = units.iter().copied().skip(row).step_by(rows).collect();
        string(&row)
    });
    Ok(Value::Text(text.collect()))
}

/// UTF-16 units, some of which may be whole code points already.
fn string(units: &[u32]) -> String {
    let mut narrow = Vec::with_capacity(units.len());
    for &unit in units {
        match u16::try_from(unit) {
            Ok(unit) => narrow.push(unit),
            Err(_) => {
                let wide = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                narrow.extend_from_slice(wide.encode_utf16(&mut [0; 2]));
            }
        }
    }
    String::from_utf16_lossy(&narrow)
}
