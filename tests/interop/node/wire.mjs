// How a deleted cell or value travels in JSON, which knows no undefined.
export const UNDEFINED = '\uFFFC';

// Returns a copy of something parsed from JSON in which deletions are undefined again.
export const withUndefined = (thing) => {
  if (Array.isArray(thing)) {
    return thing.map(withUndefined);
  }
  if (thing && typeof thing === 'object') {
    return Object.fromEntries(Object.entries(thing).map(([key, value]) => [key, withUndefined(value)]));
  }
  return thing === UNDEFINED ? undefined : thing;
};
