//! Where the vertices of a graph are drawn.

/// An edge: its ends, and how strong it is, in (0, 1].
pub(super) type Edge = (usize, usize, f64);

/// How often the vertices are moved.
const STEPS: usize = 300;

/// Places for `n` vertices within `width x height`, at least about `apart` from each other where there is room.
///
/// Vertices repel each other and edges draw their ends together, the stronger the more (Fruchterman, Reingold, *Graph
/// drawing by force-directed placement*, 1991). They begin on a circle in the order given, so that nothing is
/// random: in it those that belong together should be neighbours.
pub(super) fn places(
    order: &[usize],
    edges: &[Edge],
    (width, height): (f64, f64),
    apart: f64,
) -> Vec<(f64, f64)> {
    let n = order.len();
    let mut places = vec![(0.0, 0.0); n];
    for (position, &vertex) in order.iter().enumerate() {
        let angle = std::f64::consts::TAU * position as f64 / n as f64;
        places[vertex] = (angle.cos(), angle.sin());
    }
    // In units in which the circle has radius 1 and each vertex an equal part of it.
    let ideal = (std::f64::consts::PI / n.max(1) as f64).sqrt();
    for step in 0..STEPS {
        let longest = 0.2 * (1.0 - step as f64 / STEPS as f64);
        let moves = forces(&places, edges, ideal);
        for (place, (dx, dy)) in places.iter_mut().zip(moves) {
            let size = dx.hypot(dy);
            let scale = if size > longest { longest / size } else { 1.0 };
            place.0 += scale * dx;
            place.1 += scale * dy;
        }
    }
    fit(&mut places, (width, height));
    for _ in 0..STEPS {
        if !push_apart(&mut places, apart) {
            break;
        }
        for place in &mut places {
            *place = (place.0.clamp(0.0, width), place.1.clamp(0.0, height));
        }
    }
    places
}

fn forces(places: &[(f64, f64)], edges: &[Edge], ideal: f64) -> Vec<(f64, f64)> {
    // Parts without an edge between them would drift apart for ever.
    let mut moves: Vec<(f64, f64)> = (places.iter())
        .map(|(x, y)| (-0.1 * ideal * x, -0.1 * ideal * y))
        .collect();
    for a in 0..places.len() {
        for b in 0..a {
            let (dx, dy, distance) = apart_by(places, a, b);
            let force = ideal * ideal / (distance * distance);
            add(&mut moves, a, b, (force * dx, force * dy));
        }
    }
    for &(a, b, strength) in edges {
        let (dx, dy, distance) = apart_by(places, a, b);
        let force = -(0.3 + 0.7 * strength) * distance / ideal;
        add(&mut moves, a, b, (force * dx, force * dy));
    }
    moves
}

/// From `b` to `a`, never 0.
fn apart_by(places: &[(f64, f64)], a: usize, b: usize) -> (f64, f64, f64) {
    let (dx, dy) = (places[a].0 - places[b].0, places[a].1 - places[b].1);
    let distance = dx.hypot(dy);
    if distance > 1e-9 {
        return (dx, dy, distance);
    }
    // Two in one place part in a direction of their own.
    let angle = (a + 31 * b) as f64;
    (1e-3 * angle.cos(), 1e-3 * angle.sin(), 1e-3)
}

/// What moves one way moves the other the other way.
fn add(moves: &mut [(f64, f64)], a: usize, b: usize, (dx, dy): (f64, f64)) {
    moves[a].0 += dx;
    moves[a].1 += dy;
    moves[b].0 -= dx;
    moves[b].1 -= dy;
}

/// Stretched to the frame in both directions; in the middle where there is nothing to stretch.
fn fit(places: &mut [(f64, f64)], (width, height): (f64, f64)) {
    let stretch = |values: Vec<f64>, size: f64| -> Vec<f64> {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let place = |value: f64| {
            if high - low > 1e-6 {
                (value - low) / (high - low) * size
            } else {
                0.5 * size
            }
        };
        values.into_iter().map(place).collect()
    };
    let x = stretch(places.iter().map(|place| place.0).collect(), width);
    let y = stretch(places.iter().map(|place| place.1).collect(), height);
    for (place, fitted) in places.iter_mut().zip(x.into_iter().zip(y)) {
        *place = fitted;
    }
}

/// Moves those that are too near each other; whether any was.
fn push_apart(places: &mut [(f64, f64)], apart: f64) -> bool {
    let mut any = false;
    for a in 0..places.len() {
        for b in 0..a {
            let (dx, dy, distance) = apart_by(places, a, b);
            if distance < apart - 1e-6 {
                any = true;
                let half = 0.5 * (apart - distance) / distance;
                places[a] = (places[a].0 + half * dx, places[a].1 + half * dy);
                places[b] = (places[b].0 - half * dx, places[b].1 - half * dy);
            }
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(places: &[(f64, f64)], a: usize, b: usize) -> f64 {
        (places[a].0 - places[b].0).hypot(places[a].1 - places[b].1)
    }

    #[test]
    fn ends_of_edges_are_nearer_than_others() {
        // Two triangles without an edge between them, one after the other on the circle.
        let edges = [
            (0, 2, 1.0),
            (2, 4, 1.0),
            (0, 4, 1.0),
            (1, 3, 1.0),
            (3, 5, 1.0),
            (1, 5, 1.0),
        ];
        let places = places(&[0, 2, 4, 1, 3, 5], &edges, (100.0, 100.0), 5.0);
        for (a, b, _) in edges {
            for c in (0..6).filter(|c| c % 2 != a % 2) {
                assert!(
                    distance(&places, a, b) < distance(&places, a, c),
                    "{places:?}"
                );
            }
        }
    }

    #[test]
    fn all_are_within_the_frame_and_apart() {
        for n in [1, 2, 3, 60] {
            let order: Vec<usize> = (0..n).collect();
            let ring: Vec<Edge> = (1..n).map(|b| (b - 1, b, 0.5)).collect();
            for edges in [vec![], ring] {
                let places = places(&order, &edges, (600.0, 400.0), 20.0);
                for a in 0..n {
                    let (x, y) = places[a];
                    assert!((0.0..=600.0).contains(&x) && (0.0..=400.0).contains(&y));
                    for b in 0..a {
                        assert!(distance(&places, a, b) > 19.0, "{n}: {places:?}");
                    }
                }
            }
        }
    }
}
