//! HDF5 as Keras writes it: a group per layer, which lists the names of its weights; or any file of datasets.

use std::collections::HashSet;

use hdf5_reader::attribute_api::Attribute;
use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};
use serde_json::Value;

use super::{Content, Format, Input};
use crate::budget::{Budget, allowance};
use crate::pickle::printable;
use crate::{DType, RawTensor, Skipped, WeightsError};

/// Groups within groups beyond this depth are not entered: links may form circles.
const MAX_DEPTH: usize = 16;

/// The longest description of a model that is looked at.
const MAX_CONFIG: usize = 16 << 20;

/// Groups and datasets looked at.
const MAX_OBJECTS: usize = 100_000;

pub(super) fn read(mut input: Input<'_>, budget: &mut Budget<'_>) -> Result<Content, WeightsError> {
    let path = input.path;
    let bounded = usize::try_from(allowance(input.len)).unwrap_or(usize::MAX);
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(0)
        .with_max_read_bytes(bounded)
        .with_max_chunk_bytes(bounded)
        .with_max_object_header_bytes(usize::try_from(input.len.max(4096)).unwrap_or(usize::MAX));
    let opened = if input.on_disk {
        Hdf5File::open_with_options(path, options)
    } else {
        let bytes = input.bytes(0, input.len as usize)?;
        Hdf5File::from_vec_with_options(bytes, options)
    };
    let mut reader = Reader {
        budget,
        tensors: Vec::new(),
        skipped: Vec::new(),
        depthwise: HashSet::new(),
        names: HashSet::new(),
        objects: 0,
    };
    let file = opened.map_err(|error| reader.malformed("/", &error))?;
    let root = file
        .root_group()
        .map_err(|error| reader.malformed("/", &error))?;
    let weights = if names(&root, "layer_names").is_some() {
        Some(root.clone())
    } else {
        root.group("model_weights").ok()
    };
    match weights
        .as_ref()
        .and_then(|weights| Some((weights, names(weights, "layer_names")?)))
    {
        Some((weights, layers)) => {
            reader.depthwise = depthwise_layers(&root);
            for layer in layers {
                reader.layer(weights, &layer)?;
            }
            if root.group("optimizer_weights").is_ok() {
                reader.skip("optimizer_weights".to_owned(), "the state of the optimizer");
            }
        }
        None => reader.walk(&root, "", 0)?,
    }
    Ok(Content {
        format: Format::Hdf5,
        tensors: reader.tensors,
        skipped: reader.skipped,
    })
}

/// The texts of an attribute. Keras cuts one that is too long for its place into `layer_names0`, `layer_names1`, ….
fn names(group: &Group, name: &str) -> Option<Vec<String>> {
    let read = |attribute: Attribute| attribute.read_strings().ok();
    if let Ok(attribute) = group.attribute(name) {
        // An empty list has no texts, and perhaps another type.
        return read(attribute).or_else(|| Some(Vec::new()));
    }
    let parts = (0..MAX_OBJECTS).map_while(|i| read(group.attribute(&format!("{name}{i}")).ok()?));
    let all: Vec<String> = parts.flatten().collect();
    (!all.is_empty()).then_some(all)
}

/// The names of the layers that the description of the model, where there is one, calls depthwise convolutions. Keras 3
/// names their weights `kernel` like those of others, though their axes mean something else; Keras 2 did not.
fn depthwise_layers(root: &Group) -> HashSet<String> {
    let text = root
        .attribute("model_config")
        .and_then(|attribute| attribute.read_string());
    let text = text.ok().filter(|text| text.len() <= MAX_CONFIG);
    let config: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    let mut open: Vec<&Value> = config.iter().collect();
    let mut found = HashSet::new();
    while let Some(value) = open.pop() {
        let class = value.get("class_name").and_then(Value::as_str);
        if class.is_some_and(|class| class.starts_with("DepthwiseConv"))
            && let Some(name) = value.pointer("/config/name").and_then(Value::as_str)
        {
            found.insert(name.to_owned());
        }
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(entries) => open.extend(entries.values()),
            _ => {}
        }
    }
    found
}

struct Reader<'b, 'a> {
    budget: &'b mut Budget<'a>,
    tensors: Vec<(String, RawTensor)>,
    skipped: Vec<Skipped>,
    /// Layers that convolve each channel by itself.
    depthwise: HashSet<String>,
    /// Of the weights of layers.
    names: HashSet<String>,
    objects: usize,
}

impl Reader<'_, '_> {
    fn malformed(&self, at: &str, error: &Error) -> WeightsError {
        let at = format!("`{}`", printable(at));
        let expected = "a group or dataset that can be read";
        WeightsError::malformed(
            self.budget.path(),
            Format::Hdf5,
            at,
            expected,
            error.to_string(),
        )
    }

    fn count(&mut self, name: &str) -> Result<(), WeightsError> {
        self.objects += 1;
        self.budget.spend(64 + name.len() as u64, || {
            "the names of the datasets".to_owned()
        })?;
        if self.objects <= MAX_OBJECTS {
            return Ok(());
        }
        let at = format!("`{}`", printable(name));
        let expected = format!("at most {MAX_OBJECTS} groups and datasets");
        let found = "more; do links form a circle?";
        Err(WeightsError::malformed(
            self.budget.path(),
            Format::Hdf5,
            at,
            expected,
            found,
        ))
    }

    fn skip(&mut self, name: String, what: &str) {
        let what = what.to_owned();
        self.skipped.push(Skipped { name, what });
    }

    /// The weights of one layer of a Keras file.
    fn layer(&mut self, weights: &Group, layer: &str) -> Result<(), WeightsError> {
        self.count(layer)?;
        let group = descend(weights, layer).map_err(|error| self.malformed(layer, &error))?;
        for weight in names(&group, "weight_names").unwrap_or_default() {
            self.count(&weight)?;
            let place = format!("{layer}/{weight}");
            let (above, name) = weight.rsplit_once('/').unwrap_or(("", &weight));
            let dataset = descend(&group, above)
                .and_then(|group| group.dataset(name))
                .map_err(|error| self.malformed(&place, &error))?;
            let mut name = keras_name(layer, &weight);
            if let Some(of) = name.strip_suffix(".kernel")
                && self.depthwise.contains(of.rsplit('.').next().unwrap_or(of))
            {
                name = format!("{of}.depthwise_kernel");
            }
            let name = self.free_name(name, layer);
            self.dataset(&dataset, name)?;
        }
        Ok(())
    }

    /// Two models within a model may have layers of one name: the second is named after its model as well.
    fn free_name(&mut self, name: String, layer: &str) -> String {
        if self.names.insert(name.clone()) {
            return name;
        }
        format!("{layer}.{name}")
    }

    fn walk(&mut self, group: &Group, prefix: &str, depth: usize) -> Result<(), WeightsError> {
        let members = group.members();
        let (groups, datasets) = members.map_err(|error| self.malformed(prefix, &error))?;
        for dataset in &datasets {
            let place = format!("{prefix}/{}", dataset.name());
            self.count(&place)?;
            self.dataset(dataset, keras_name("", &place))?;
        }
        // Keras 3's `.weights.h5` has a group for each.
        let keras3 = depth == 0 && groups.iter().any(|group| group.name() == "layers");
        for child in &groups {
            let place = format!("{prefix}/{}", child.name());
            self.count(&place)?;
            if keras3 && child.name() == "optimizer" {
                self.skip(keras_name("", &place), "the state of the optimizer");
            } else if depth < MAX_DEPTH {
                self.walk(child, &place, depth + 1)?;
            } else {
                self.skip(keras_name("", &place), "a group too deep within others");
            }
        }
        Ok(())
    }

    fn dataset(&mut self, dataset: &Dataset, name: String) -> Result<(), WeightsError> {
        let Some((dtype, order)) = number(dataset.dtype()) else {
            self.skip(name, "a dataset that is no array of numbers");
            return Ok(());
        };
        let needs = dataset
            .raw_byte_len()
            .map_err(|error| self.malformed(&name, &error))?;
        self.budget
            .spend(needs as u64, || format!("`{}`", printable(&name)))?;
        let read = dataset.read_raw_bytes();
        let mut bytes = read.map_err(|error| self.malformed(&name, &error))?;
        if order == ByteOrder::BigEndian && dtype.size() > 1 {
            bytes
                .chunks_exact_mut(dtype.size())
                .for_each(<[u8]>::reverse);
        }
        let shape: Option<Vec<usize>> = dataset
            .shape()
            .iter()
            .map(|&axis| usize::try_from(axis).ok())
            .collect();
        let tensor = RawTensor::new(dtype, shape.unwrap_or_else(|| vec![usize::MAX, 2]), bytes)?;
        self.tensors.push((name, tensor));
        Ok(())
    }
}

fn descend(group: &Group, path: &str) -> Result<Group, Error> {
    let mut group = group.clone();
    for part in path
        .split('/')
        .filter(|part| !part.is_empty())
        .take(MAX_DEPTH)
    {
        group = group.group(part)?;
    }
    Ok(group)
}

/// `conv1/kernel:0` as `conv1.kernel`.
///
/// What stands before the layer is the model, which Keras 3 puts there, and falls away; so does a name that repeats the
/// one before it, as groups of Keras do.
fn keras_name(layer: &str, weight: &str) -> String {
    let weight = weight.split_once(':').map_or(weight, |(name, _)| name);
    let within = |at: usize| {
        let rest = &weight[at..];
        (at == 0 || weight[..at].ends_with('/')) && rest[layer.len()..].starts_with('/')
    };
    let start = if layer.is_empty() {
        0
    } else {
        weight
            .match_indices(layer)
            .map(|(at, _)| at)
            .find(|&at| within(at))
            .unwrap_or(0)
    };
    let mut parts: Vec<&str> = weight[start..]
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    parts.dedup();
    parts.join(".")
}

fn number(datatype: &Datatype) -> Option<(DType, ByteOrder)> {
    Some(match *datatype {
        Datatype::FixedPoint {
            size,
            signed,
            byte_order,
        } => {
            let dtype = match (size, signed) {
                (1, true) => DType::I8,
                (1, false) => DType::U8,
                (2, true) => DType::I16,
                (4, true) => DType::I32,
                (8, true) => DType::I64,
                _ => return None,
            };
            (dtype, byte_order)
        }
        Datatype::FloatingPoint { size, byte_order } => {
            let dtype = match size {
                2 => DType::F16,
                4 => DType::F32,
                8 => DType::F64,
                _ => return None,
            };
            (dtype, byte_order)
        }
        // h5py's booleans are an enumeration of bytes.
        Datatype::Enum { ref base, .. }
            if matches!(**base, Datatype::FixedPoint { size: 1, .. }) =>
        {
            (DType::Bool, ByteOrder::LittleEndian)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_keras_become_layer_and_weight() {
        for (layer, weight, expected) in [
            ("conv1", "conv1/kernel:0", "conv1.kernel"),
            ("conv1", "conv1_1/kernel:0", "conv1_1.kernel"),
            ("conv1", "sequential/conv1/kernel", "conv1.kernel"),
            ("conv1", "my_conv1/conv1/kernel", "conv1.kernel"),
            (
                "mobilenet",
                "conv_dw_1/depthwise_kernel:0",
                "conv_dw_1.depthwise_kernel",
            ),
            (
                "lstm",
                "lstm/lstm_cell/recurrent_kernel:0",
                "lstm.lstm_cell.recurrent_kernel",
            ),
            ("x", "kernel:0", "kernel"),
            ("", "/conv1/conv1/kernel:0", "conv1.kernel"),
            ("", "/layers/dense/vars/0", "layers.dense.vars.0"),
        ] {
            assert_eq!(keras_name(layer, weight), expected, "{layer} {weight}");
        }
    }
}
