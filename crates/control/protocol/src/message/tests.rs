use super::*;

fn pairing() -> Pairing {
    let chunk = crate::slot::Chunk::of(700).unwrap();
    Pairing {
        token: u64::MAX,
        link: 0x0123_4567_89ab_cdef,
        slot: 700,
        chunk: chunk.number,
        side: Side::Second,
        ring_capacity: chunk.capacity,
        own_offset: chunk.offset(700),
        peer_offset: chunk.offset(700),
        peer_pid: 4_194_304,
        new_segment: true,
    }
}

fn requests() -> [Request; 7] {
    [
        Request::Hello { layout: 7 },
        Request::Offer { token: u64::MAX },
        Request::Withdraw { token: 3 },
        Request::Release { link: u64::MAX - 1, slot: u32::MAX, side: Side::Second, unmapped: true },
        Request::Ping,
        Request::Table,
        Request::Tables,
    ]
}

fn replies() -> [Reply; 7] {
    [
        Reply::Welcome,
        Reply::Confirm { token: 1 << 40 },
        Reply::Paired(pairing()),
        Reply::Refused { token: 9, reason: Reason::POLICY },
        Reply::LinkClosed { link: 1 << 63 },
        Reply::Pong(Status { pid: 1, clients: 2, links: 3, pending: u32::MAX }),
        Reply::Table { pid: 7 },
    ]
}

#[test]
fn every_message_comes_back_as_it_went() {
    for request in requests() {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    for reply in replies() {
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }
}

#[test]
fn no_reply_is_a_request_and_the_reverse() {
    assert!(replies().iter().all(|reply| Request::decode(&reply.encode()).is_err()));
    assert!(requests().iter().all(|request| Reply::decode(&request.encode()).is_err()));
}

#[test]
fn a_byte_behind_the_fields_or_in_the_padding_is_malformed() {
    for request in requests() {
        for at in [4, 7, SIZE - 1] {
            let mut bytes = request.encode();
            bytes[at] = 1;
            assert_eq!(Request::decode(&bytes), Err(DecodeError::Malformed), "{request:?} byte {at}");
        }
    }
}

#[test]
fn another_version_is_told_from_nonsense() {
    let mut bytes = Reply::Welcome.encode();
    bytes[0] = 2;
    assert_eq!(Reply::decode(&bytes), Err(DecodeError::Version));
    assert_eq!(Reply::decode(&[0xff; SIZE]), Err(DecodeError::Malformed));
}

/// Any one bit that is changed in a pairing either changes something that cannot be checked (names) or is refused.
#[test]
fn a_pairing_with_impossible_places_is_malformed() {
    let good = Reply::Paired(pairing()).encode();
    for bit in 0..SIZE * 8 {
        let mut bytes = good;
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(reply) = Reply::decode(&bytes) {
            let Reply::Paired(read) = reply else { panic!("{reply:?}") };
            let (is, was) = (read, pairing());
            assert_eq!(
                (is.ring_capacity, is.own_offset, is.peer_offset),
                (was.ring_capacity, was.own_offset, was.peer_offset)
            );
            assert_eq!((is.slot, is.chunk), (was.slot, was.chunk));
        }
    }
}

#[test]
fn no_reason_is_no_refusal() {
    let mut bytes = Reply::Refused { token: 1, reason: Reason::POLICY }.encode();
    bytes[16] = 0;
    assert_eq!(Reply::decode(&bytes), Err(DecodeError::Malformed));
    bytes[16] = 250;
    assert_eq!(Reply::decode(&bytes), Err(DecodeError::Malformed));
}
