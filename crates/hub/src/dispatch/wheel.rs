//! A ring of seconds: who is looked at when. A visit decides lazily what is due, so sending an event costs no timer work.

use super::slots::Token;

/// Tokens by the second at which they want to be looked at.
pub(crate) struct Wheel {
    buckets: Vec<Vec<Token>>,
    /// The last second that was handed out.
    now: u64,
}

impl Wheel {
    pub(crate) fn new(now: u64) -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Vec::new()).collect(), now }
    }

    /// Asks for a visit at second `at`; sooner if that is further away than the ring is long, later never.
    pub(crate) fn schedule(&mut self, token: Token, at: u64) {
        let at = at.clamp(self.now + 1, self.now + BUCKETS - 1);
        self.bucket(at).push(token);
    }

    /// Takes the tokens of every second up to `now`.
    pub(crate) fn advance(&mut self, now: u64, due: &mut Vec<Token>) {
        while self.now < now {
            self.now += 1;
            let bucket = self.bucket(self.now);
            due.append(bucket);
            if bucket.capacity() > KEPT {
                *bucket = Vec::new();
            }
        }
    }

    fn bucket(&mut self, second: u64) -> &mut Vec<Token> {
        let index = usize::try_from(second % BUCKETS).unwrap_or(0);
        &mut self.buckets[index]
    }
}

const BUCKETS: u64 = 64;
const KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_at_its_second_or_at_the_end_of_the_ring() {
        let mut wheel = Wheel::new(100);
        let (near, far) = (Token::from_u64(1), Token::from_u64(2));
        wheel.schedule(near, 103);
        wheel.schedule(far, 100_000);
        let mut due = Vec::new();
        wheel.advance(102, &mut due);
        assert!(due.is_empty());
        wheel.advance(103, &mut due);
        assert_eq!(due, [near]);
        wheel.advance(163, &mut due);
        assert_eq!(due, [near, far]);
    }
}
