/** Numbers from 0 to 1, the same for the same seed. */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}

/** One of a list, by such a number. */
export function pick(random, list) {
  return list[Math.floor(random() * list.length)];
}
