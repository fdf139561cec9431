//! Predictions as a table: `index,label,prediction`, and `score:<class>` for each class where the model has scores.

use translearn_core::Labels;

use crate::trial::Predictions;

/// The text of `predictions/<id>.csv`.
pub(crate) fn to_csv(predictions: &Predictions) -> Result<String, csv::Error> {
    let scores = match (&predictions.prediction.scores, &predictions.labels) {
        (Some(scores), Labels::Classes(_)) => Some(scores.matrix()),
        _ => None,
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut header = vec![
        "index".to_owned(),
        "label".to_owned(),
        "prediction".to_owned(),
    ];
    let n_scores = scores.map_or(0, ndarray::ArrayBase::ncols);
    header.extend(
        (0..n_scores).map(|class| match predictions.class_names.get(class) {
            Some(name) => format!("score:{name}"),
            None => format!("score:{class}"),
        }),
    );
    table.write_record(&header)?;
    for (row, index) in predictions.rows.iter().enumerate() {
        let mut record = vec![
            index.to_string(),
            predictions.label(&predictions.labels, row),
            predictions.label(&predictions.prediction.labels, row),
        ];
        if let Some(scores) = scores {
            record.extend(scores.row(row).iter().map(f64::to_string));
        }
        table.write_record(&record)?;
    }
    let bytes = table
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use translearn_core::Prediction;

    use super::*;

    #[test]
    fn classes_are_named_and_quoted_and_scored() {
        let predictions = Predictions {
            rows: vec![3, 7],
            labels: Labels::Classes(array![0, 1]),
            prediction: Prediction::from_probabilities(array![[0.25, 0.75], [0.1, 0.9]]),
            class_names: vec!["a, b".into(), "c".into()],
        };
        assert_eq!(
            to_csv(&predictions).unwrap(),
            "index,label,prediction,\"score:a, b\",score:c\n3,\"a, b\",c,0.25,0.75\n7,c,c,0.1,0.9\n"
        );
    }

    #[test]
    fn numbers_are_written_to_the_last_bit() {
        let predictions = Predictions {
            rows: vec![0],
            labels: Labels::Values(array![0.1 + 0.2]),
            prediction: Prediction::from_values(array![-1e-300]),
            class_names: vec![],
        };
        let text = to_csv(&predictions).unwrap();
        let fields: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
        assert_eq!(fields[1].parse::<f64>().unwrap(), 0.1 + 0.2);
        assert_eq!(fields[2].parse::<f64>().unwrap(), -1e-300);
    }
}
