//! How large images have to be for the networks of a method.

use translearn_core::Registry;

use super::MethodSpec;

/// The shorter side of images for the largest of a method's networks; `None` where it has none.
#[cfg(feature = "deep")]
pub(super) fn of_networks(method: &MethodSpec, registry: &Registry) -> Option<u32> {
    use serde_json::{Map, Value};
    use translearn_core::FitSample;
    use translearn_deep::methods::NetworkParams;

    use super::parse_method::values;

    let learner = method.learner.as_ref();
    let learner = learner.filter(|learner| learner.use_ == NetworkParams::INFO.name)?;
    if !method.takes_images(registry) {
        return None;
    }
    let given = |name: &'static str| {
        let given = learner.params.get(name).into_iter().flat_map(values);
        given.map(move |value| (name.to_owned(), value.clone()))
    };
    let sides = given("backbone").flat_map(|backbone| {
        given("image_size").filter_map(move |size| {
            let params = Value::Object(Map::from_iter([backbone.clone(), size]));
            let params: NetworkParams = serde_json::from_value(params).ok()?;
            u32::try_from(params.shorter_side().ok()??).ok()
        })
    });
    sides.max()
}

/// The learner `network` is unknown without libtorch.
#[cfg(not(feature = "deep"))]
pub(super) fn of_networks(_: &MethodSpec, _: &Registry) -> Option<u32> {
    None
}
