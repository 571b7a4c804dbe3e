// What counter.js knows of the page.

export const luot = self.__luot;
export const { options, origin, own, root } = luot;
