"""Recordings with more clips than the video level sees at once."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from factories import JOINTS, sequences, tiny
from hitrs.models.encoder import HiTRS, overlapping_chunks


@given(clips=st.integers(1, 700), max_clips=st.integers(2, 200))
def test_chunks_cover_all_and_kept_parts_tile(clips: int, max_clips: int) -> None:
    plan = overlapping_chunks(clips, max_clips)
    assert plan[0].start == 0
    assert plan[-1].stop == clips
    assert [c for s in plan for c in range(s.keep_start, s.keep_stop)] == list(range(clips))
    for chunk in plan:
        assert chunk.stop - chunk.start == min(clips, max_clips)
        assert chunk.start <= chunk.keep_start < chunk.keep_stop <= chunk.stop
    for before, after in itertools.pairwise(plan):
        assert before.start < after.start
        assert before.stop - after.start >= max_clips // 2  # they overlap by at least half


@given(clips=st.integers(3, 300), max_clips=st.integers(2, 50))
def test_a_clip_is_kept_where_it_stands_most_central(clips: int, max_clips: int) -> None:
    plan = overlapping_chunks(clips, max_clips)
    for chunk in plan:
        for clip in range(chunk.keep_start, chunk.keep_stop):
            off = [abs(2 * clip + 1 - (s.start + s.stop)) for s in plan if s.start <= clip < s.stop]
            assert abs(2 * clip + 1 - (chunk.start + chunk.stop)) == min(off)


@pytest.fixture(scope="module")
def encoder() -> HiTRS:
    torch.manual_seed(0)
    return HiTRS(tiny(max_clips=4, stride=3, mode="default"), JOINTS).eval()


@torch.no_grad()
def test_long_sequences_are_means_of_their_chunks(encoder: HiTRS) -> None:
    positions, valid, lengths = sequences([40, 9, 21, 1], seen=0.8)
    result = encoder(positions, valid, lengths, want_clips=True)
    assert result.video.isfinite().all()
    frames = encoder.encode_frames(positions, valid, lengths)
    clips = encoder.encode_all_clips(frames, lengths)
    for s, row in enumerate(clips.slots):
        own = row[row >= 0]
        assert torch.equal(own, row[: len(own)])
        videos = []
        for chunk in overlapping_chunks(len(own), 4):
            part = encoder.encode_videos(clips.features, own[None, chunk.start : chunk.stop], want_clips=True)
            videos.append(part.video[0])
            central = slice(chunk.keep_start - chunk.start, chunk.keep_stop - chunk.start)
            kept = result.clips[s, chunk.keep_start : chunk.keep_stop]
            torch.testing.assert_close(kept, part.clips[0, central], atol=1e-5, rtol=0)
        torch.testing.assert_close(result.video[s], torch.stack(videos).mean(0), atol=1e-5, rtol=0)
        assert (result.clips[s, len(own) :] == 0).all()


@torch.no_grad()
def test_chunks_without_the_body_do_not_count(encoder: HiTRS) -> None:
    positions, valid, lengths = sequences([90])
    valid[:, 10:86] = False  # it goes away and comes back at the end
    frames = encoder.encode_frames(positions, valid, lengths)
    clips = encoder.encode_all_clips(frames, lengths)
    plan = overlapping_chunks(clips.slots.shape[1], 4)
    holding = [s for s in plan if (clips.slots[0, s.start : s.stop] >= 0).any()]
    assert 1 < len(holding) < len(plan)
    parts = [encoder.encode_videos(clips.features, clips.slots[:, s.start : s.stop]).video for s in holding]
    video = encoder(positions, valid, lengths).video
    torch.testing.assert_close(video, torch.stack(parts).mean(0), atol=1e-5, rtol=0)
