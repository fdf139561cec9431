//! The names a pickle may use. None of them is ever called: each stands for what the machine makes of it.

use super::Element;
use crate::DType;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `OrderedDict` and its kin.
    Dict,
    /// `set` and its kin.
    Set,
    /// Rebuilds a tensor from a storage, offset, size and stride; the third version names the type as well.
    Tensor { with_dtype: bool },
    /// Gives its first argument back: a parameter is its tensor, a typed list its values.
    First,
    /// Rebuilds a tensor of a subclass by another of these functions.
    FromType,
    /// A storage's type.
    Storage(Element),
    /// The type of a tensor's numbers.
    DType(Element),
    /// A class of TorchScript.
    Module,
    /// Allowed, and nothing that holds weights.
    Inert(&'static str),
}

const fn element(name: &'static str, size: usize, dtype: Option<DType>) -> Element {
    Element { name, size, dtype }
}

/// Type of numbers, and the class its storages had before they were untyped.
const ELEMENTS: &[(Element, &str)] = &[
    (element("float16", 2, Some(DType::F16)), "HalfStorage"),
    (element("bfloat16", 2, Some(DType::BF16)), "BFloat16Storage"),
    (element("float32", 4, Some(DType::F32)), "FloatStorage"),
    (element("float64", 8, Some(DType::F64)), "DoubleStorage"),
    (element("int8", 1, Some(DType::I8)), "CharStorage"),
    (element("int16", 2, Some(DType::I16)), "ShortStorage"),
    (element("int32", 4, Some(DType::I32)), "IntStorage"),
    (element("int64", 8, Some(DType::I64)), "LongStorage"),
    (element("uint8", 1, Some(DType::U8)), "ByteStorage"),
    (element("bool", 1, Some(DType::Bool)), "BoolStorage"),
    (element("complex64", 8, None), "ComplexFloatStorage"),
    (element("complex128", 16, None), "ComplexDoubleStorage"),
    (element("qint8", 1, None), "QInt8Storage"),
    (element("quint8", 1, None), "QUInt8Storage"),
    (element("qint32", 4, None), "QInt32Storage"),
    (element("quint4x2", 1, None), "QUInt4x2Storage"),
    (element("quint2x4", 1, None), "QUInt2x4Storage"),
    (element("uint16", 2, None), ""),
    (element("uint32", 4, None), ""),
    (element("uint64", 8, None), ""),
    (element("complex32", 4, None), ""),
    (element("float8_e4m3fn", 1, None), ""),
    (element("float8_e5m2", 1, None), ""),
    (element("float8_e4m3fnuz", 1, None), ""),
    (element("float8_e5m2fnuz", 1, None), ""),
    (element("float8_e8m0fnu", 1, None), ""),
];

/// Bytes without a type: the tensor says what they are.
pub(super) const UNTYPED: Element = element("bytes", 1, Some(DType::U8));

/// What `module.name` stands for; nothing for what is refused. Only archives of TorchScript may name classes of theirs.
pub(super) fn resolve(module: &str, name: &str, torchscript: bool) -> Option<Global> {
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter") => Global::Dict,
        // Python 2 called the module `__builtin__`.
        ("builtins" | "__builtin__", "set" | "frozenset") => Global::Set,
        // Arguments of `defaultdict`, mostly.
        (
            "builtins" | "__builtin__",
            "dict" | "list" | "int" | "float" | "bool" | "str" | "tuple",
        ) => Global::Inert("a class of Python"),
        ("builtins" | "__builtin__", "complex" | "bytearray" | "slice" | "range") => {
            Global::Inert("a value of Python")
        }
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
            Global::Tensor { with_dtype: false }
        }
        ("torch._utils", "_rebuild_tensor_v3") => Global::Tensor { with_dtype: true },
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::First,
        ("torch._tensor", "_rebuild_from_type_v2") => Global::FromType,
        ("torch._utils", "_rebuild_qtensor") => Global::Inert("a quantized tensor"),
        ("torch._utils", "_rebuild_sparse_tensor") => Global::Inert("a sparse tensor"),
        ("torch._utils", "_rebuild_meta_tensor_no_storage") => {
            Global::Inert("a tensor without numbers")
        }
        ("torch.jit._pickle", "restore_type_tag") => Global::First,
        (
            "torch.jit._pickle",
            "build_tensorlist" | "build_intlist" | "build_doublelist" | "build_boollist",
        ) => Global::First,
        ("torch", "Size") => Global::First,
        ("torch", "device") => Global::Inert("a device"),
        ("torch", "Generator" | "Tensor") => Global::Inert("a class of torch"),
        ("torch.nn.parameter", "Parameter" | "Buffer") => Global::Inert("a class of torch"),
        ("torch.serialization", "_get_layout") => Global::Inert("a layout"),
        ("torch.storage", "UntypedStorage") | ("torch", "UntypedStorage") => {
            Global::Storage(UNTYPED)
        }
        ("torch" | "torch.cuda" | "torch.storage", name) => {
            let by_class = |(_, class): &&(Element, &str)| !class.is_empty() && *class == name;
            let by_name =
                |(element, _): &&(Element, &str)| module == "torch" && element.name == name;
            if let Some(&(element, _)) = ELEMENTS.iter().find(by_class) {
                Global::Storage(element)
            } else {
                Global::DType(ELEMENTS.iter().find(by_name)?.0)
            }
        }
        // What training scripts put beside the weights.
        ("_codecs", "encode") => Global::Inert("bytes"),
        ("numpy", "dtype") | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => {
            Global::Inert("a number of NumPy")
        }
        ("argparse", "Namespace") => Global::Inert("a namespace of options"),
        (module, _)
            if torchscript && (module == "__torch__" || module.starts_with("__torch__.")) =>
        {
            Global::Module
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storages_and_types_are_found_by_either_name() {
        let Some(Global::Storage(half)) = resolve("torch", "HalfStorage", false) else {
            panic!()
        };
        assert_eq!((half.size, half.dtype), (2, Some(DType::F16)));
        assert_eq!(
            resolve("torch.cuda", "HalfStorage", false),
            Some(Global::Storage(half))
        );
        assert_eq!(
            resolve("torch", "float16", false),
            Some(Global::DType(half))
        );
        for (element, _) in ELEMENTS {
            assert!(
                element
                    .dtype
                    .is_none_or(|dtype| dtype.size() == element.size),
                "{element:?}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("__builtin__", "exec"),
            ("torch", "load"),
            ("torch", ""),
            ("torch.cuda", "float16"),
            ("torch._utils", "_rebuild"),
            ("torch.nn.modules.linear", "Linear"),
            ("torch.hub", "load_state_dict_from_url"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("subprocess", "Popen"),
            ("__torch__", "Module"),
        ] {
            assert_eq!(resolve(module, name, false), None, "{module}.{name}");
        }
        assert_eq!(
            resolve("__torch__.torch.nn", "Module", true),
            Some(Global::Module)
        );
        assert_eq!(resolve("__torch__x", "Module", true), None);
        assert_eq!(resolve("os", "system", true), None);
    }
}
