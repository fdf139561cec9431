use ndarray::array;

use super::*;

#[test]
fn rows_that_stand_twice_or_elsewhere_do_not_change_the_median_width() {
    let x = Features::from(array![
        [3.0, 0.0],
        [1.0, 2.0],
        [3.0, -0.0],
        [0.0, 0.0],
        [1.0, 2.0]
    ]);
    let other = Features::from(array![[0.0, 0.0], [1.0, 2.0], [3.0, 0.0]]);
    let expected = distinct_rows(&other);
    assert_eq!(expected.n_rows(), 3);
    assert_eq!(distinct_rows(&x), expected);
    let sparse = distinct_rows(&Features::Sparse(x.to_sparse().unwrap().into_owned()));
    assert_eq!(*sparse.dense().unwrap(), *expected.dense().unwrap());
}

#[test]
fn a_kernel_matrix_that_would_fill_the_memory_is_refused() {
    check_size(11_585).unwrap();
    let error = check_size(11_586).unwrap_err();
    assert!(
        matches!(
            error,
            TransferError::DenseTooLarge {
                rows: 11_586,
                columns: 11_586,
                ..
            }
        ),
        "{error}"
    );
}
