//! What a care app uses to ask the broker; it never calls an unsealed answer complete.
