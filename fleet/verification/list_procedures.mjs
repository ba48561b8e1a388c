// Prints the dotted names of what the app's router really holds, as one line of JSON.
const { appRouter } = await import("/app/server/router.ts");
console.log(JSON.stringify({ procedures: Object.keys(appRouter._def.procedures) }));
process.exit(0);
