//! Setters of parameters, a line each.

/// Writes the setters of a parameter struct: each takes the struct, sets the field of its name and gives the struct back.
///
/// A field of type `Option<T>` whose setter takes a `T` is written `Some(T)`; one that takes what can be turned into `T`,
/// `impl Into<T>`.
///
/// ```
/// #[derive(Default)]
/// pub struct Params {
///     lambda: f64,
///     gamma: Option<f64>,
///     name: String,
/// }
///
/// translearn_core::setters!(Params {
///     /// Sets the weight of the penalty.
///     lambda: f64,
///     /// Sets the width of the kernel.
///     gamma: Some(f64),
///     /// Sets the name.
///     name: impl Into<String>,
/// });
///
/// let params = Params::default().lambda(0.5).gamma(2.0).name("rbf");
/// assert_eq!((params.lambda, params.gamma, params.name.as_str()), (0.5, Some(2.0), "rbf"));
/// ```
#[macro_export]
macro_rules! setters {
    ($params:ty { $($fields:tt)* }) => {
        impl $params {
            $crate::setters!(@each $($fields)*);
        }
    };
    (@each) => {};
    (@each $(#[$doc:meta])* $field:ident: Some($of:ty), $($rest:tt)*) => {
        $crate::setters!(@one [$(#[$doc])*] $field: $of, |given| Some(given));
        $crate::setters!(@each $($rest)*);
    };
    (@each $(#[$doc:meta])* $field:ident: impl Into<$into:ty>, $($rest:tt)*) => {
        $crate::setters!(@one [$(#[$doc])*] $field: impl Into<$into>, |given| given.into());
        $crate::setters!(@each $($rest)*);
    };
    (@each $(#[$doc:meta])* $field:ident: $of:ty, $($rest:tt)*) => {
        $crate::setters!(@one [$(#[$doc])*] $field: $of, |given| given);
        $crate::setters!(@each $($rest)*);
    };
    (@one [$(#[$doc:meta])*] $field:ident: $of:ty, |$given:ident| $value:expr) => {
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, $given: $of) -> Self {
            self.$field = $value;
            self
        }
    };
}
