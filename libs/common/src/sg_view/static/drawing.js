// Pictures beside an answer, drawn by the browser from the file that its reader has dropped.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const RATE = 16000; // Hz, as the model hears
  const FRAME = 256; // samples of a spectrum
  const COLUMNS = 1024;
  const FRAMES_EACH = 4; // spectra that are averaged in a column
  const QUIETEST = -70; // dB below the loudest, drawn black
  const LONGEST = 1200; // seconds of sound; as samples they take 77 MB for each channel
  const LARGEST = 256 * 1024 * 1024; // bytes of a file that is decoded as one
  const SIDE = 480; // pixels of the longer side of a thumbnail
  const PATIENCE = 8000; // milliseconds for one step
  // Steps of Matplotlib's "inferno", as in the reports that the command line writes.
  const COLOURS = [[0, 0, 4], [51, 16, 104], [136, 34, 106], [212, 72, 66], [251, 155, 6], [252, 255, 164]];

  const happens = (target, name) =>
    new Promise((resolve, reject) => {
      target.addEventListener(name, resolve, { once: true });
      target.addEventListener("error", () => reject(new Error("cannot be decoded")), { once: true });
      setTimeout(() => reject(new Error("takes too long")), PATIENCE);
    });

  /** The suspicious frames of a video as `[{frame_number, image}]`: as many as this browser can decode. */
  view.drawFrames = async (file, { suspicious_frames: wanted, fps }) => {
    const drawn = [];
    if (!wanted.length) return drawn;
    const address = URL.createObjectURL(file);
    const video = view.element("video", { preload: "auto", playsinline: true });
    video.muted = true;
    try {
      const ready = happens(video, "loadeddata");
      video.src = address;
      await ready;
      const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
      const canvas = view.element("canvas", { width: Math.round(scale * video.videoWidth), height: Math.round(scale * video.videoHeight) });
      for (const { frame_number, time } of [...wanted].sort((one, other) => one.time - other.time)) {
        const there = happens(video, "seeked");
        video.currentTime = time + 0.5 / Math.max(1, fps); // within the frame, not at its edge
        await there;
        canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
        drawn.push({ frame_number, image: canvas.toDataURL("image/jpeg", 0.85) });
      }
    } catch {
      // The view says of each frame that could not be drawn.
    } finally {
      video.removeAttribute("src");
      URL.revokeObjectURL(address);
    }
    return drawn;
  };

  /** Powers of the frequencies of `FRAME` samples, without the constant part: a radix-2 Fourier transform. */
  const powers = (samples, start, into) => {
    const real = new Float64Array(FRAME);
    const imaginary = new Float64Array(FRAME);
    for (let place = 0, turned = 0; place < FRAME; place++) {
      const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * place) / (FRAME - 1));
      real[turned] = hann * (samples[start + place] ?? 0);
      let bit = FRAME >> 1;
      for (; turned & bit; bit >>= 1) turned ^= bit;
      turned |= bit;
    }
    for (let size = 2; size <= FRAME; size *= 2) {
      for (let offset = 0; offset < size / 2; offset++) {
        const angle = (-2 * Math.PI * offset) / size;
        const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
        for (let low = offset; low < FRAME; low += size) {
          const high = low + size / 2;
          const re = real[high] * cosine - imaginary[high] * sine;
          const im = real[high] * sine + imaginary[high] * cosine;
          [real[high], imaginary[high]] = [real[low] - re, imaginary[low] - im];
          real[low] += re;
          imaginary[low] += im;
        }
      }
    }
    for (let bin = 0; bin < FRAME / 2; bin++) into[bin] += real[bin + 1] ** 2 + imaginary[bin + 1] ** 2;
  };

  const colour = (level) => {
    const at = Math.min(0.9999, Math.max(0, level)) * (COLOURS.length - 1);
    const [from, to] = [COLOURS[Math.floor(at)], COLOURS[Math.floor(at) + 1]];
    return from.map((value, channel) => value + (to[channel] - value) * (at % 1));
  };

  const picture = (spectra) => {
    const loudest = Math.max(1e-12, ...spectra.map((column) => Math.max(...column)));
    const canvas = view.element("canvas", { width: spectra.length, height: FRAME / 2 });
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    spectra.forEach((column, x) =>
      column.forEach((power, bin) => {
        const decibels = 10 * Math.log10(power / loudest + 1e-12);
        image.data.set([...colour(1 - decibels / QUIETEST), 255], 4 * ((FRAME / 2 - 1 - bin) * canvas.width + x));
      }),
    );
    context.putImageData(image, 0, 0);
    return canvas.toDataURL("image/png");
  };

  const mono = (sound) => {
    const mixed = new Float32Array(sound.length);
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      sound.getChannelData(channel).forEach((value, place) => (mixed[place] += value / sound.numberOfChannels));
    }
    return mixed;
  };

  /** Waveform and spectrogram of a file's sound, evenly over its length; nothing where this browser can't decode it. */
  view.drawSound = async (file, { audio_duration: seconds }) => {
    if (!(seconds > 0) || seconds > LONGEST || file.size > LARGEST) return {};
    let samples;
    try {
      const context = new OfflineAudioContext(1, 1, RATE);
      samples = mono(await context.decodeAudioData(await file.arrayBuffer()));
    } catch {
      return {};
    }
    const width = Math.max(FRAME, Math.ceil((seconds * RATE) / COLUMNS));
    const columns = Math.ceil((seconds * RATE) / width);
    const peaks = [];
    const spectra = [];
    for (let start = 0; start < columns * width; start += width) {
      const piece = samples.subarray(start, start + width);
      peaks.push(Math.round(100 * Math.min(1, piece.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0))));
      const sum = new Float64Array(FRAME / 2);
      const each = Math.min(FRAMES_EACH, Math.floor(width / FRAME));
      for (let frame = 0; frame < each; frame++) powers(samples, start + Math.floor((frame * (width - FRAME)) / Math.max(1, each - 1)), sum);
      spectra.push(sum.map((power) => power / each));
    }
    return { waveform: { peaks }, spectrogram: { image: picture(spectra), hertz: RATE / 2 } };
  };
})();
