"""AMASS: positions as they are, poses with a synthetic body model, and hostile archives."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hitrs.data.formats.amass import FORMAT, PARENTS, read_amass
from hitrs.data.formats.format import Head
from hitrs.errors import DataError
from hitrs.skeleton import list_layouts

pytestmark = pytest.mark.skipif("smpl24" not in list_layouts(), reason="needs the layouts of SMPL")
RNG = np.random.default_rng(0)
REST = RNG.normal(size=(24, 3))
SHAPES = RNG.normal(size=(24, 3, 2))


def model(folder: Path, name: str = "smpl_regressor.npz", **more: np.ndarray) -> Path:
    np.savez(folder / name, **({"J_template": REST, "J_shapedirs": SHAPES} | more))
    return folder / name


def posed(folder: Path, columns: int = 156, frames: int = 5, **more: object) -> tuple[Path, np.ndarray]:
    poses = RNG.normal(size=(frames, columns))
    content = {"poses": poses, "trans": RNG.normal(size=(frames, 3)), "mocap_framerate": 120.0} | more
    np.savez(folder / "walk_poses.npz", **content)
    return folder / "walk_poses.npz", poses


@pytest.mark.parametrize(("joints", "kept"), [(22, 22), (24, 24), (52, 22), (55, 22)])
def test_positions_in_the_file(tmp_path: Path, joints: int, kept: int) -> None:
    values = RNG.normal(size=(4, joints, 3))
    np.savez(tmp_path / "a.npz", Jtr=values, mocap_frame_rate=np.array(60))
    assert FORMAT.matches(Head.of(tmp_path / "a.npz"))
    recording = read_amass(tmp_path / "a.npz")
    assert (recording.layout.name, recording.fps) == (f"smpl{kept}", 60.0)
    np.testing.assert_allclose(recording.positions[:, 0], values[:, :kept], rtol=1e-6)
    assert bool(recording.notes) == (kept < joints)


@pytest.mark.parametrize(("columns", "joints"), [(66, 22), (72, 24), (156, 22), (165, 22)])
def test_poses_turn_the_bones(tmp_path: Path, columns: int, joints: int) -> None:
    betas = np.array([0.5, -1.0, 3.0])  # one more than the model knows
    path, poses = posed(tmp_path, columns, betas=betas)
    model(tmp_path)
    assert FORMAT.matches(Head.of(path))
    recording = read_amass(path)
    assert (recording.layout.name, recording.fps) == (f"smpl{joints}", 120.0)
    with np.load(path) as content:
        trans = content["trans"]
    rest = REST + SHAPES @ betas[:2]
    for frame in range(5):
        matrices: list[np.ndarray] = []
        expected = [rest[0] + trans[frame]]
        for joint in range(joints):
            turn = Rotation.from_rotvec(poses[frame, 3 * joint : 3 * joint + 3]).as_matrix()
            parent = PARENTS[joint]
            if joint:
                expected.append(expected[parent] + matrices[parent] @ (rest[joint] - rest[parent]))
                turn = matrices[parent] @ turn
            matrices.append(turn)
        np.testing.assert_allclose(recording.positions[frame, 0], expected, atol=1e-5)


def test_body_model_of_vertices(tmp_path: Path) -> None:
    weights, vertices = RNG.random((24, 30)), RNG.normal(size=(30, 3))
    path, _ = posed(tmp_path, poses=np.zeros((1, 156)), trans=np.zeros((1, 3)))
    np.savez(tmp_path / "smpl_regressor.npz", v_template=vertices, J_regressor=weights)
    recording = read_amass(path)
    np.testing.assert_allclose(recording.positions[0, 0], (weights @ vertices)[:22], rtol=1e-5)
    assert any("mean body" in note for note in recording.notes)


def test_model_of_the_gender_in_a_folder_above(tmp_path: Path) -> None:
    below = tmp_path / "KIT" / "3"
    below.mkdir(parents=True)
    path, _ = posed(below, poses=np.zeros((1, 156)), trans=np.zeros((1, 3)), gender=np.array(b"female"))
    model(tmp_path)
    model(tmp_path, "smpl_regressor_female.npz", J_template=2 * REST)
    np.testing.assert_allclose(read_amass(path).positions[0, 0], 2 * REST[:22], rtol=1e-5)


def test_without_model_it_says_what_to_put_where(tmp_path: Path) -> None:
    path, _ = posed(tmp_path)
    with pytest.raises(DataError, match=r"walk_poses.*smpl_regressor\.npz.*J_template"):
        read_amass(path)


def test_a_body_model_that_is_not_finite_is_named(tmp_path: Path) -> None:
    path, _ = posed(tmp_path)
    model(tmp_path, J_template=np.where(np.arange(24)[:, None] == 3, np.inf, REST))
    with pytest.raises(
        DataError, match=r"smpl_regressor\.npz: 'J_template' holds numbers that are not finite"
    ):
        read_amass(path)


def test_own_files_are_left_to_npz(tmp_path: Path) -> None:
    for content in ({"positions": 1, "poses": 1, "trans": 1}, {"joints": 1, "fps": 1}, {"poses": 1}):
        np.savez(tmp_path / "a.npz", **content)
        assert not FORMAT.matches(Head.of(tmp_path / "a.npz"))
    for damaged in (b"", b"PK", b"PK\x03\x04" + b"\0" * 100):
        (tmp_path / "a.npz").write_bytes(damaged)
        assert not FORMAT.matches(Head.of(tmp_path / "a.npz"))
        with pytest.raises(DataError):
            read_amass(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"Jtr": np.zeros((3, 23, 3))}, r"'Jtr' is float64 of shape \(3, 23, 3\)"),
        ({"Jtr": np.array([["a"]])}, "'Jtr' is"),
        ({"Jtr": np.zeros((0, 22, 3))}, "'Jtr' is"),
        ({"Jtr": np.full((3, 22, 3), np.nan)}, "frame 0 has numbers"),
        ({"poses": np.zeros((3, 100)), "trans": np.zeros((3, 3))}, "'poses' is"),
        ({"poses": np.zeros((3, 156)), "trans": np.zeros((2, 3))}, "'trans' is"),
        ({"poses": np.full((3, 156), np.inf), "trans": np.zeros((3, 3))}, "frame 0"),
        ({"other": np.zeros(3)}, "needs 'poses'"),
        ({"Jtr": np.array([{}], dtype=object)}, "pickled objects"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    model(tmp_path)
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(DataError, match=message):
        read_amass(tmp_path / "a.npz")


def test_huge_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (900000000000, 22, 3), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Jtr.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match="more than is there"):
        read_amass(path)
