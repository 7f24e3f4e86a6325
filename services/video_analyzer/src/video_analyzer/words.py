"""What the video analyzer says to a person."""

from __future__ import annotations

from functools import partial

from sg_common.words.phrases import Phrase

# `make words` finds phrases by these names: `counted` have a plural, `said` are no reasons of their own.
reason = partial(Phrase, "video_analyzer")
counted = partial(Phrase, "video_analyzer")
said = partial(Phrase, "video_analyzer", "")

PROBABLY_CHANGED = said(
    "Probably swapped, animated or made by software: a face seen {when}; "
    "before you act on it, reach the person on a number that you already know."
)
FACES_PROBABLY_CHANGED = said(
    "Probably swapped, animated or made by software: the faces seen {when}, taken together; "
    "before you act on it, reach the person on a number that you already know."
)
SOME_SIGNS = said("Some signs of a changed face, too few to call it one: seen {when}; treat the video as unchecked.")
NO_SIGN = said("No sign of a changed face was found {when}, which does not prove that the video is genuine.")

FACE_SUSPICIOUS = reason(
    "face_suspicious", "The face seen {when} has the signs of one that was swapped, animated or made (score {score})."
)
FACE_DOUBTFUL = reason("face_doubtful", "The face seen {when} has some signs of a changed face (score {score}).")
MORE_FACES = counted("more_faces", "{count} more face has such signs.", "{count} more faces have such signs.")
FACES_TOGETHER = reason(
    "faces_together",
    "No face is seen long enough to be judged by itself: the score is that of all faces seen {when} together.",
)
STRONGEST_MOMENT = reason("strongest_moment", "Look first at {time}: the highest score of a single frame is there.")
NOTHING_FOUND = counted(
    "nothing_found",
    "{count} face seen {when} was judged: no sign of manipulation was found.",
    "{count} faces seen {when} were judged: no sign of manipulation was found.",
)
FACE_STILL = reason(
    "face_still", "The face seen {when} does not move by itself, like a photograph: it did not decide the verdict."
)
FACES_TOO_BRIEF = counted(
    "faces_too_brief",
    "{count} more face could be judged in too few frames to count.",
    "{count} more faces could be judged in too few frames to count.",
)
SCOPE = reason(
    "scope",
    "Only faces were judged: not the voice, nor what is said, nor whether the scene was staged or cut. "
    "Ways of making faces that the model never met may pass.",
)

MORE = said("send a longer clip that shows the face larger and clearer")
ALIVE = said("send a clip in which the person moves and speaks")
LOWER_RATE = said("use a sample_rate below {rate}, or none")

NO_FACE = counted(
    "no_face",
    "No face was found in the {count} analysed frame: {advice}.",
    "No face was found in the {count} analysed frames: {advice}.",
)
NO_FIT_FACE = counted(
    "no_fit_face",
    "Of the {count} analysed frame, no face could be judged, and a verdict needs {needed} frames: {advice}.",
    "Of the {count} analysed frames, no face could be judged, and a verdict needs {needed} frames: {advice}.",
)
ONE_FRAME = counted(
    "one_frame",
    "Of the {count} analysed frame, a face could be judged in only one, and a verdict needs {needed}: {advice}.",
    "Of the {count} analysed frames, a face could be judged in only one, and a verdict needs {needed}: {advice}.",
)
TWO_FRAMES = reason(
    "two_frames",
    "A face could be judged in only two frames, and a verdict needs {needed}; the verdict stays uncertain: {advice}.",
)
TOO_SHORT = reason(
    "too_short",
    "A face could be judged over only {seconds} s, and a verdict needs {needed} s; "
    "the verdict stays uncertain: {advice}.",
)
SAME_PICTURE = reason(
    "same_picture",
    "The frames show fewer than {needed} different pictures of a face; the verdict stays uncertain: {advice}.",
)
NOTHING_MOVES = reason(
    "nothing_moves", "In the face nothing moves but the camera; the verdict stays uncertain: {advice}."
)
UNSETTLED = (TWO_FRAMES, TOO_SHORT, SAME_PICTURE, NOTHING_MOVES)
"""What keeps a verdict uncertain, whatever the score."""

PALETTE = reason(
    "palette",
    "The picture has a palette of few colours, as a GIF has, which hides what is judged; "
    "send the video that it was made from.",
)
FACES_SMALL = counted(
    "faces_small",
    "Not judged was {count} sighting of a face that was too small (under {limit} pixels).",
    "Not judged were {count} sightings of faces that were too small (under {limit} pixels).",
)
FACES_CROPPED = counted(
    "faces_cropped",
    "Not judged was {count} sighting of a face that was cut off by the frame's edge.",
    "Not judged were {count} sightings of faces that were cut off by the frame's edge.",
)
FACES_DARK = counted(
    "faces_dark",
    "Not judged was {count} sighting of a face that was too dark.",
    "Not judged were {count} sightings of faces that were too dark.",
)
FACES_BRIGHT = counted(
    "faces_bright",
    "Not judged was {count} sighting of a face that was too bright.",
    "Not judged were {count} sightings of faces that were too bright.",
)
FACES_FLAT = counted(
    "faces_flat",
    "Not judged was {count} sighting of a face without contrast.",
    "Not judged were {count} sightings of faces without contrast.",
)
FACES_BLURRED = counted(
    "faces_blurred",
    "Not judged was {count} sighting of a face that was too blurred, by focus, motion or strong compression.",
    "Not judged were {count} sightings of faces that were too blurred, by focus, motion or strong compression.",
)
CROWD = counted(
    "crowd",
    "Only the {count} largest face of a frame was followed.",
    "Only the {count} largest faces of a frame were followed.",
)
